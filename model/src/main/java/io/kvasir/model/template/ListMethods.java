package io.kvasir.model.template;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The methods of lists and tuples; those that would change a list are refused.
final class ListMethods {
  static final Set<String> MUTATING =
      Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

  private ListMethods() {}

  static @Nullable Value bind(Value.Sequence sequence, String name) {
    return switch (name) {
      case "index" ->
          method(name, "/ value! start stop", (rt, a) -> Value.Int.of(index(rt, sequence, a)));
      case "count" -> method(name, "/ value!", (rt, a) -> Value.Int.of(count(rt, sequence, a)));
      case "copy" -> sequence.tuple() ? null : method(name, "", (rt, a) -> sequence);
      default -> null;
    };
  }

  private static Value method(String name, String parameters, Builtin.Body body) {
    return new Builtin(new Signature(name, parameters), "builtin_function_or_method", body);
  }

  private static int index(Rendering runtime, Value.Sequence sequence, Signature.Bound arguments) {
    List<Value> items = sequence.items();
    int from = clipped(arguments.integer(1, 0), items.size());
    int to = clipped(arguments.integer(2, items.size()), items.size());
    for (int i = from; i < to; i++) {
      if (runtime.comparison().equal(items.get(i), arguments.get(0))) {
        return i;
      }
    }
    throw new TemplateException(
        Repr.repr(arguments.get(0), runtime.budget())
            + " is not in the "
            + (sequence.tuple() ? "tuple" : "list"));
  }

  private static int clipped(int bound, int length) {
    return Math.clamp(bound < 0 ? (long) bound + length : bound, 0, length);
  }

  private static int count(Rendering runtime, Value.Sequence sequence, Signature.Bound arguments) {
    int count = 0;
    for (Value item : sequence.items()) {
      if (runtime.comparison().equal(item, arguments.get(0))) {
        count++;
      }
    }
    return count;
  }
}
