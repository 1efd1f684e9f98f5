package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The functions that every template can call.
final class Globals {
  private Globals() {}

  static void define(Scope scope) {
    function(scope, "range", "/ start! stop step", (rt, a) -> range(a));
    function(scope, "dict", "/ * **", (rt, a) -> dict(rt, a));
    function(scope, "namespace", "/ * **", (rt, a) -> namespace(rt, a));
    function(scope, "cycler", "/ *", (rt, a) -> cycler(a.rest()));
    function(scope, "joiner", "sep", (rt, a) -> joiner(a.get(0, new Str(", "))));
    function(scope, "lipsum", "n html min max", (rt, a) -> Lipsum.text(rt, a));
    function(scope, "raise_exception", "message!", (rt, a) -> raise(rt, a.get(0)));
    function(
        scope, "strftime_now", "format!", (rt, a) -> rt.text(TimeFormat.format(rt, a.text(0))));
  }

  private static void function(Scope scope, String name, String parameters, Builtin.Body body) {
    scope.set(name, Builtin.function(name, parameters, body));
  }

  private static Value raise(Rendering rt, Value message) {
    throw TemplateException.raised(rt.str(message));
  }

  private static Value range(Signature.Bound a) {
    BigInteger first = Types.whole(a.get(0), "an argument of 'range'");
    boolean single = !a.has(1);
    BigInteger start = single ? BigInteger.ZERO : first;
    BigInteger stop = single ? first : Types.whole(a.get(1), "an argument of 'range'");
    BigInteger step = a.has(2) ? Types.whole(a.get(2), "an argument of 'range'") : BigInteger.ONE;
    if (step.signum() == 0) {
      throw new TemplateException("the step of 'range' cannot be zero");
    }
    BigInteger span = step.signum() > 0 ? stop.subtract(start) : start.subtract(stop);
    BigInteger size =
        span.signum() <= 0
            ? BigInteger.ZERO
            : span.subtract(BigInteger.ONE).divide(step.abs()).add(BigInteger.ONE);
    if (size.compareTo(BigInteger.valueOf(Limits.MAX_RANGE)) > 0) {
      throw new TemplateException(
          "a range of " + size + " numbers is larger than the allowed " + Limits.MAX_RANGE);
    }
    if (start.bitLength() > 40 || stop.bitLength() > 40 || step.bitLength() > 40) {
      throw new TemplateException("the numbers of a range are too large");
    }
    return new Value.Range(start.longValue(), stop.longValue(), step.longValue(), size.intValue());
  }

  private static Dict dict(Rendering rt, Signature.Bound a) {
    if (a.rest().size() > 1) {
      throw new TemplateException("'dict' takes at most one positional argument");
    }
    Dict dict = new Dict();
    if (!a.rest().isEmpty()) {
      Value source = a.rest().getFirst();
      if (source instanceof Dict other) {
        dict = new Dict(other);
        rt.budget().items(other.size());
      } else {
        addPairs(rt, dict, source);
      }
    }
    for (Map.Entry<String, Value> keyword : a.keywords().entrySet()) {
      dict.put(new Str(keyword.getKey()), keyword.getValue());
    }
    return dict;
  }

  private static void addPairs(Rendering rt, Dict dict, Value pairs) {
    for (Value pair : Iteration.list(pairs, rt.budget())) {
      List<Value> parts = Iteration.list(pair, rt.budget());
      if (parts.size() != 2) {
        throw new TemplateException("'dict' needs pairs of a key and a value");
      }
      rt.budget().items(1);
      dict.put(parts.get(0), parts.get(1));
    }
  }

  private static Value namespace(Rendering rt, Signature.Bound a) {
    Map<String, Value> attributes = new LinkedHashMap<>();
    for (Dict.Entry entry : dict(rt, a).entries()) {
      attributes.put(rt.str(entry.key()), entry.value());
    }
    return new Value.Namespace(attributes);
  }

  private static Value cycler(List<Value> items) {
    if (items.isEmpty()) {
      throw new TemplateException("'cycler' needs at least one item");
    }
    return new Value.Cycler(new ArrayList<>(items));
  }

  private static Value joiner(Value separator) {
    boolean[] used = {false};
    return Builtin.function(
        "joiner",
        "",
        (rt, a) -> {
          boolean first = !used[0];
          used[0] = true;
          return first ? Str.EMPTY : separator;
        });
  }
}
