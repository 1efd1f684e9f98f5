package io.kvasir.model.template;

import java.util.HashMap;
import java.util.Map;

/// The filters by name, one line each.
final class FilterTable {
  /// A filter with its arguments bound to its parameters.
  private interface Body {
    Value apply(Rendering runtime, Value input, Signature.Bound arguments);
  }

  /// A filter that reads its arguments itself.
  interface Filter {
    Value apply(Rendering runtime, Value input, Arguments arguments);
  }

  private static final Map<String, Filter> FILTERS = new HashMap<>();

  static {
    add("abs", "", (rt, v, a) -> NumberFilters.abs(v));
    add("attr", "name!", (rt, v, a) -> rt.attributes().attributeOnly(v, a.text(0)));
    add("batch", "linecount! fill_with", SequenceFilters::batch);
    add("capitalize", "", (rt, v, a) -> TextFilters.change(rt, v, Strings::capitalize));
    add("center", "width", TextFilters::center);
    add("count", "", (rt, v, a) -> SequenceFilters.length(v));
    add("d", "default_value boolean", (rt, v, a) -> SequenceFilters.orDefault(v, a));
    add("default", "default_value boolean", (rt, v, a) -> SequenceFilters.orDefault(v, a));
    add("dictsort", "case_sensitive by reverse", OrderFilters::dictSort);
    add("e", "", (rt, v, a) -> Html.escaped(v, rt.budget()));
    add("escape", "", (rt, v, a) -> Html.escaped(v, rt.budget()));
    add("filesizeformat", "binary", NumberFilters::fileSize);
    add("first", "", (rt, v, a) -> SequenceFilters.first(v));
    add("float", "default", (rt, v, a) -> NumberFilters.toFloat(v, a));
    add("forceescape", "", (rt, v, a) -> Html.escaped(new Str(rt.str(v)), rt.budget()));
    add("format", "* **", TextFilters::format);
    add("groupby", "attribute! default case_sensitive", OrderFilters::groupBy);
    add("indent", "width first blank", TextFilters::indent);
    add("int", "default base", (rt, v, a) -> NumberFilters.toInt(rt, v, a));
    add("items", "", (rt, v, a) -> SequenceFilters.items(v));
    add("join", "d attribute", TextFilters::join);
    add("last", "", (rt, v, a) -> SequenceFilters.last(rt, v));
    add("length", "", (rt, v, a) -> SequenceFilters.length(v));
    add("list", "", (rt, v, a) -> SequenceFilters.list(rt, v));
    add("lower", "", (rt, v, a) -> TextFilters.lower(rt, v));
    FILTERS.put("map", SelectFilters::map);
    add("max", "case_sensitive attribute", (rt, v, a) -> OrderFilters.extreme(rt, v, a, true));
    add("min", "case_sensitive attribute", (rt, v, a) -> OrderFilters.extreme(rt, v, a, false));
    add("pprint", "", (rt, v, a) -> TextFilters.pretty(rt, v));
    add("random", "", (rt, v, a) -> SequenceFilters.random(rt, v));
    FILTERS.put("reject", (rt, v, a) -> SelectFilters.select(rt, v, a, false, false));
    FILTERS.put("rejectattr", (rt, v, a) -> SelectFilters.select(rt, v, a, true, false));
    add("replace", "old! new! count", TextFilters::replace);
    add("reverse", "", (rt, v, a) -> SequenceFilters.reverse(rt, v));
    add("round", "precision method", NumberFilters::round);
    add("safe", "", (rt, v, a) -> new Str(rt.str(v), true));
    FILTERS.put("select", (rt, v, a) -> SelectFilters.select(rt, v, a, false, true));
    FILTERS.put("selectattr", (rt, v, a) -> SelectFilters.select(rt, v, a, true, true));
    add("slice", "slices! fill_with", SequenceFilters::slices);
    add("sort", "reverse case_sensitive attribute", OrderFilters::sort);
    add("string", "", (rt, v, a) -> TextFilters.soft(rt, v));
    add("striptags", "", TextFilters::stripTags);
    add("sum", "attribute start", NumberFilters::sum);
    add("title", "", (rt, v, a) -> TextFilters.change(rt, v, TextFilters::titled));
    add("tojson", "ensure_ascii indent separators sort_keys", JsonText::filter);
    add("trim", "chars", TextFilters::trim);
    add("truncate", "length killwords end leeway", TextFilters::truncate);
    add("unique", "case_sensitive attribute", OrderFilters::unique);
    add("upper", "", (rt, v, a) -> TextFilters.upper(rt, v));
    add("urlencode", "", (rt, v, a) -> UrlFilters.encode(rt, v));
    add("urlize", "trim_url_limit nofollow target rel extra_schemes", UrlFilters::urlize);
    add("wordcount", "", (rt, v, a) -> TextFilters.wordCount(rt, v));
    add(
        "wordwrap",
        "width break_long_words wrapstring break_on_hyphens",
        (rt, v, a) -> WordWrap.filter(rt, v, a));
    add("xmlattr", "autospace", UrlFilters::xmlAttributes);
  }

  private FilterTable() {}

  private static void add(String name, String parameters, Body body) {
    Signature signature = new Signature(name, parameters);
    FILTERS.put(name, (rt, v, a) -> body.apply(rt, v, signature.bind(a)));
  }

  static boolean has(String name) {
    return FILTERS.containsKey(name);
  }

  static Filter get(String name) {
    Filter filter = FILTERS.get(name);
    if (filter == null) {
      throw unknown(name);
    }
    return filter;
  }

  static TemplateException unknown(String name) {
    return new TemplateException("there is no filter named '" + name + "'");
  }
}
