package io.kvasir.model.template;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The methods of dictionaries; those that would change one are refused.
final class DictMethods {
  static final Set<String> MUTATING = Set.of("clear", "pop", "popitem", "setdefault", "update");

  private record Method(Signature signature, Body body) {}

  private interface Body {
    Value call(Rendering runtime, Dict self, Signature.Bound arguments);
  }

  private static final Map<String, Method> METHODS = new HashMap<>();

  static {
    add("get", "/ key! default", (rt, d, a) -> orElse(d.get(a.get(0)), a.get(1, Value.None.NONE)));
    add("keys", "", (rt, d, a) -> new Value.View(d, Value.View.Kind.KEYS));
    add("values", "", (rt, d, a) -> new Value.View(d, Value.View.Kind.VALUES));
    add("items", "", (rt, d, a) -> new Value.View(d, Value.View.Kind.ITEMS));
    add("copy", "", (rt, d, a) -> d);
    add("fromkeys", "/ iterable! value", (rt, d, a) -> fromKeys(rt, a));
  }

  private DictMethods() {}

  private static void add(String name, String parameters, Body body) {
    METHODS.put(name, new Method(new Signature(name, parameters), body));
  }

  static @Nullable Value bind(Dict dict, String name) {
    Method method = METHODS.get(name);
    return method == null
        ? null
        : new Builtin(
            method.signature(),
            "builtin_function_or_method",
            (runtime, arguments) -> method.body().call(runtime, dict, arguments));
  }

  private static Value orElse(@Nullable Value value, Value fallback) {
    return value == null ? fallback : value;
  }

  private static Value fromKeys(Rendering runtime, Signature.Bound arguments) {
    Dict dict = new Dict();
    for (Value key : Iteration.list(arguments.get(0), runtime.budget())) {
      dict.put(key, arguments.get(1, Value.None.NONE));
    }
    return dict;
  }
}
