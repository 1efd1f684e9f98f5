package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// `object.name` and `object[key]`. A dot looks for a method or attribute first and for an item
/// second, brackets the other way round. Methods that would change a list or dictionary are
/// refused, and there is no way from a value to anything of Java.
final class Attributes {
  private final Budget budget;

  Attributes(Budget budget) {
    this.budget = budget;
  }

  /// `object.name`.
  Value attribute(Value object, String name) {
    if (object instanceof Value.Undefined undefined) {
      throw undefined.failure();
    }
    Value value = own(object, name);
    if (value == null && object instanceof Dict dict) {
      value = dict.get(name);
    }
    return value == null ? missing(object, new Str(name)) : value;
  }

  /// `object.name` without looking for an item.
  Value attributeOnly(Value object, String name) {
    if (object instanceof Value.Undefined undefined) {
      throw undefined.failure();
    }
    Value value = own(object, name);
    return value == null ? missing(object, new Str(name)) : value;
  }

  /// `object[key]`.
  Value item(Value object, Value key) {
    if (object instanceof Value.Undefined undefined) {
      throw undefined.failure();
    }
    Value value = element(object, key);
    if (value == null && key instanceof Str name) {
      value = own(object, name.text());
    }
    return value == null ? missing(object, key) : value;
  }

  /// What a path such as `address.city` or `0.name` leads to, as filters take it.
  Value path(Value object, List<Value> parts, @Nullable Value fallback) {
    Value value = object;
    for (Value part : parts) {
      value = item(value, part);
      if (fallback != null && value instanceof Value.Undefined) {
        value = fallback;
      }
    }
    return value;
  }

  private @Nullable Value element(Value object, Value key) {
    return switch (object) {
      case Dict dict -> {
        budget.steps(key instanceof Str str ? str.text().length() >> 6 : 0);
        yield isHashable(key) ? dict.get(key) : null;
      }
      case Value.Sequence s -> {
        int index = position(key, s.items().size());
        yield index < 0 ? null : s.items().get(index);
      }
      case Str s -> {
        int index = position(key, s.length());
        yield index < 0 ? null : s.with(s.slice(index, index + 1));
      }
      case Value.Range r -> {
        int index = position(key, r.size());
        yield index < 0 ? null : r.at(index);
      }
      default -> null;
    };
  }

  private static boolean isHashable(Value key) {
    return !(key instanceof Dict) && !(key instanceof Value.Sequence s && !s.tuple());
  }

  /// The position that `key` names in a sequence of `length`, or -1.
  private static int position(Value key, int length) {
    BigInteger index = Types.wholeOrNull(key);
    if (index == null || index.bitLength() > 31) {
      return -1;
    }
    int at = index.signum() < 0 ? index.intValue() + length : index.intValue();
    return at >= 0 && at < length ? at : -1;
  }

  /// An attribute or method that the value itself has, or null.
  @Nullable Value own(Value object, String name) {
    if (name.startsWith("__") && name.endsWith("__") && !(object instanceof Value.Namespace)) {
      boolean key = object instanceof Dict dict && dict.get(name) != null;
      return key ? null : unsafe(object, name);
    }
    return switch (object) {
      case Str s -> StringMethods.bind(s, name);
      case Dict d ->
          DictMethods.MUTATING.contains(name) ? unsafe(d, name) : DictMethods.bind(d, name);
      case Value.Sequence s -> sequence(s, name);
      case Value.Int i -> NumberMethods.bind(i, name);
      case Value.Bool b -> NumberMethods.bind(b, name);
      case Value.Real r -> NumberMethods.bind(r, name);
      case Value.Range r -> range(r, name, budget);
      case Value.Namespace n -> {
        Value value = n.attributes().get(name);
        yield value != null && name.startsWith("_") ? unsafe(n, name) : value;
      }
      case Value.Cycler c -> cycler(c, name);
      case Loop loop -> loop.attribute(name);
      case Macro macro -> macro.attribute(name);
      case Value.View v -> null;
      case Value.Generator g -> null;
      case Value.Undefined u -> null;
      case Value.None n -> null;
      case Value.Callable c -> null;
    };
  }

  private @Nullable Value sequence(Value.Sequence sequence, String name) {
    int field = sequence.names().indexOf(name);
    if (field >= 0) {
      return sequence.items().get(field);
    }
    if (!sequence.tuple() && ListMethods.MUTATING.contains(name)) {
      return unsafe(sequence, name);
    }
    return ListMethods.bind(sequence, name);
  }

  private static @Nullable Value range(Value.Range range, String name, Budget budget) {
    return switch (name) {
      case "start" -> Value.Int.of(range.start());
      case "stop" -> Value.Int.of(range.stop());
      case "step" -> Value.Int.of(range.step());
      case "count", "index" ->
          ListMethods.bind(Value.Sequence.tuple(Iteration.list(range, budget)), name);
      default -> null;
    };
  }

  private static @Nullable Value cycler(Value.Cycler cycler, String name) {
    return switch (name) {
      case "current" -> cycler.items.get(cycler.position);
      case "items" -> Value.Sequence.tuple(cycler.items);
      case "pos" -> Value.Int.of(cycler.position);
      case "next" ->
          Builtin.function(
              "cycler.next",
              "",
              (rt, a) -> {
                Value item = cycler.items.get(cycler.position);
                cycler.position = (cycler.position + 1) % cycler.items.size();
                return item;
              });
      case "reset" ->
          Builtin.function(
              "cycler.reset",
              "",
              (rt, a) -> {
                cycler.position = 0;
                return Value.None.NONE;
              });
      default -> null;
    };
  }

  private static Value unsafe(Value object, String name) {
    return Value.Undefined.because(
        "access to attribute '" + name + "' of '" + Types.name(object) + "' object is unsafe");
  }

  private Value missing(Value object, Value key) {
    String owner = object == Value.None.NONE ? "None" : Types.name(object) + " object";
    if (key instanceof Str name) {
      return new Value.Undefined(null, owner, name.text());
    }
    return Value.Undefined.because(owner + " has no element " + Repr.repr(key, budget));
  }
}
