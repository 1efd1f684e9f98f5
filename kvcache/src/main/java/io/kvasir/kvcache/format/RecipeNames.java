package io.kvasir.kvcache.format;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads and writes the names of recipes; see [KvRecipe#named].
final class RecipeNames {
  private static final int MOST_CHARACTERS = 10_000;
  private static final Pattern EXACT = Pattern.compile("(?:s(\\d{1,8}))?(?:t(\\d{1,8}))?");
  private static final Pattern LAYER = Pattern.compile("-?\\d{1,8}");

  /// Short names for a format of keys and one of values.
  private static final Map<String, String> PAIRS = new LinkedHashMap<>();

  static {
    PAIRS.put("k8v4", "int8/int4");
    PAIRS.put("k6v4", "int6/int4");
    PAIRS.put("k5v4", "int5/int4");
    PAIRS.put("k4v2", "kvarn4/kvarn2");
    PAIRS.put("k3v3", "kvarn3/kvarn3");
    PAIRS.put("k2v2", "kvarn2/kvarn2");
  }

  private RecipeNames() {}

  static String choices() {
    return String.join(", ", KvFormat.ALL.stream().map(KvFormat::name).toList())
        + ", a pair KEYS/VALUES of them, "
        + String.join(", ", PAIRS.keySet());
  }

  static KvRecipe parse(String name) {
    if (name.length() > MOST_CHARACTERS) {
      throw new IllegalArgumentException(
          "a cache format has at most 10000 characters, not " + name.length());
    }
    String text = name.strip().toLowerCase(Locale.ROOT);
    if (KvRecipe.isAuto(text)) {
      throw new IllegalArgumentException(
          "cache format '" + name + "' is chosen by a probe of a model and cannot be used here");
    }
    int open = text.indexOf('[');
    if (open < 0) {
      return new KvRecipe.Uniform(formats(text, name));
    }
    if (!text.endsWith("]")) {
      throw new IllegalArgumentException("cache format '" + name + "' does not end with ']'");
    }
    List<KvRecipe.PerLayer.Layers> others = new ArrayList<>();
    for (String part : text.substring(open + 1, text.length() - 1).split(";", -1)) {
      others.add(layers(part, name));
    }
    return new KvRecipe.PerLayer(formats(text.substring(0, open), name), others);
  }

  private static KvRecipe.PerLayer.Layers layers(String part, String whole) {
    int equals = part.indexOf('=');
    if (equals < 0) {
      throw new IllegalArgumentException(
          "cache format '%s': '%s' is not LAYERS=FORMAT, such as 0,1=int8".formatted(whole, part));
    }
    List<Integer> numbers = new ArrayList<>();
    for (String number : part.substring(0, equals).split(",", -1)) {
      if (!LAYER.matcher(number.strip()).matches()) {
        throw new IllegalArgumentException(
            "cache format '%s': '%s' is not a layer number".formatted(whole, number));
      }
      numbers.add(Integer.parseInt(number.strip()));
    }
    return new KvRecipe.PerLayer.Layers(numbers, formats(part.substring(equals + 1), whole));
  }

  private static KvRecipe.Formats formats(String text, String whole) {
    int plus = text.indexOf('+');
    String pair = (plus < 0 ? text : text.substring(0, plus)).strip();
    pair = PAIRS.getOrDefault(pair, pair);
    int slash = pair.indexOf('/');
    KvFormat keys = format(slash < 0 ? pair : pair.substring(0, slash), whole);
    KvFormat values = slash < 0 ? keys : format(pair.substring(slash + 1), whole);
    ExactRows exact = plus < 0 ? needed(keys, values) : exact(text.substring(plus + 1), whole);
    return new KvRecipe.Formats(keys, values, exact);
  }

  private static KvFormat format(String text, String whole) {
    for (KvFormat format : KvFormat.ALL) {
      if (format.name().equals(text.strip())) {
        return format;
      }
    }
    String what =
        text.strip().equals(whole) ? "'" + whole + "'" : "'" + text + "' in '" + whole + "'";
    throw new IllegalArgumentException(
        "unknown cache format " + what + "; choose one of " + choices());
  }

  private static ExactRows exact(String text, String whole) {
    Matcher matcher = EXACT.matcher(text);
    if (text.isEmpty() || !matcher.matches()) {
      throw new IllegalArgumentException(
          "cache format '%s': '+%s' is not +sNtM, such as +s64t128".formatted(whole, text));
    }
    String sinks = matcher.group(1);
    String tail = matcher.group(2);
    try {
      return new ExactRows(
          sinks == null ? 0 : Integer.parseInt(sinks), tail == null ? -1 : Integer.parseInt(tail));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("cache format '" + whole + "': " + e.getMessage(), e);
    }
  }

  /// The exact rows that two formats have where none are asked for.
  private static ExactRows needed(KvFormat keys, KvFormat values) {
    ExactRows a = needed(keys);
    ExactRows b = needed(values);
    return new ExactRows(Math.max(a.sinks(), b.sinks()), Math.max(a.tail(), b.tail()));
  }

  /// Formats of 5 bits and less keep the newest rows exact, where attention looks most and a few
  /// rows cost least; see docs/decisions/0015. Those of 3 bits and less also lose much of the first
  /// tokens, on which all others lean (StreamingLLM, arXiv 2309.17453). Formats that encode tiles
  /// need the tail to gather one.
  private static ExactRows needed(KvFormat format) {
    return switch (format) {
      case F32Format f -> ExactRows.NONE;
      case F16Format f -> ExactRows.NONE;
      case Bf16Format f -> ExactRows.NONE;
      case Int8Format f -> ExactRows.NONE;
      case Fp8Format f -> ExactRows.NONE;
      case GroupFormat f -> f.bits() > 5 ? ExactRows.NONE : new ExactRows(0, 0);
      case LlamaByteFormat f -> ExactRows.NONE;
      case LlamaSignedFormat f -> ExactRows.NONE;
      case LlamaAffineFormat f -> ExactRows.NONE;
      case LloydMaxFormat f -> new ExactRows(f.bits() > 3 ? 0 : 64, 0);
      case KvarnFormat f -> new ExactRows(64, 0);
      case KiviFormat f -> new ExactRows(0, 64);
    };
  }

  static String of(KvRecipe.Formats formats) {
    String name = formats.keys().name();
    if (!formats.keys().equals(formats.values())) {
      name += "/" + formats.values().name();
      for (Map.Entry<String, String> pair : PAIRS.entrySet()) {
        name = pair.getValue().equals(name) ? pair.getKey() : name;
      }
    }
    ExactRows exact = formats.exact();
    if (exact.equals(needed(formats.keys(), formats.values()))) {
      return name;
    }
    return name
        + (exact.sinks() > 0 || !exact.hasTail() ? "+s" + exact.sinks() : "+")
        + (exact.hasTail() ? "t" + exact.tail() : "");
  }

  static String of(KvRecipe.PerLayer recipe) {
    StringBuilder name = new StringBuilder(of(recipe.base()));
    char before = '[';
    for (KvRecipe.PerLayer.Layers layers : recipe.others()) {
      List<String> numbers = layers.numbers().stream().map(String::valueOf).toList();
      name.append(before).append(String.join(",", numbers)).append('=');
      name.append(of(layers.formats()));
      before = ';';
    }
    return name.append(']').toString();
  }
}
