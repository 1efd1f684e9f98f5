package io.kvasir.model.template;

import java.math.BigInteger;

/// The Python type names of values, and what every value can be asked: is it true, how long is it.
final class Types {
  private Types() {}

  /// `type(value).__name__`.
  static String name(Value value) {
    return switch (value) {
      case Value.None n -> "NoneType";
      case Value.Undefined u -> "Undefined";
      case Value.Bool b -> "bool";
      case Value.Int i -> "int";
      case Value.Real r -> "float";
      case Str s -> s.markup() ? "Markup" : "str";
      case Value.Sequence s -> s.tuple() ? "tuple" : "list";
      case Dict d -> "dict";
      case Value.Range r -> "range";
      case Value.View v ->
          switch (v.kind()) {
            case KEYS -> "dict_keys";
            case VALUES -> "dict_values";
            case ITEMS -> "dict_items";
          };
      case Value.Generator g -> g.name();
      case Value.Namespace n -> "Namespace";
      case Value.Cycler c -> "Cycler";
      case Value.Callable c -> c.typeName();
    };
  }

  static boolean truth(Value value) {
    return switch (value) {
      case Value.None n -> false;
      case Value.Undefined u -> false;
      case Value.Bool(boolean b) -> b;
      case Value.Int(BigInteger i) -> i.signum() != 0;
      case Value.Real(double d) -> d != 0;
      case Str s -> !s.isEmpty();
      case Value.Sequence s -> !s.items().isEmpty();
      case Dict d -> d.size() > 0;
      case Value.Range r -> r.size() > 0;
      case Value.View v -> v.dict().size() > 0;
      case Value.Generator g -> true;
      case Value.Namespace n -> true;
      case Value.Cycler c -> true;
      case Loop loop -> loop.length() > 0;
      case Value.Callable c -> true;
    };
  }

  /// `len(value)`, or -1 for what has no length.
  static int length(Value value) {
    return switch (value) {
      case Str s -> s.length();
      case Value.Sequence s -> s.items().size();
      case Dict d -> d.size();
      case Value.Range r -> r.size();
      case Value.View v -> v.dict().size();
      case Value.Undefined u -> 0;
      case Loop loop -> loop.length();
      case Value.None n -> -1;
      case Value.Bool b -> -1;
      case Value.Int i -> -1;
      case Value.Real r -> -1;
      case Value.Generator g -> -1;
      case Value.Namespace n -> -1;
      case Value.Cycler c -> -1;
      case Value.Callable c -> -1;
    };
  }

  static boolean isNumber(Value value) {
    return value instanceof Value.Int || value instanceof Value.Real || value instanceof Value.Bool;
  }

  /// The whole number that `value` is (`True` is 1), or null for anything else.
  static @org.jspecify.annotations.Nullable BigInteger wholeOrNull(Value value) {
    return switch (value) {
      case Value.Int(BigInteger i) -> i;
      case Value.Bool(boolean b) -> b ? BigInteger.ONE : BigInteger.ZERO;
      default -> null;
    };
  }

  /// The whole number that `value` is.
  ///
  /// @throws TemplateException where it is none, naming what it was wanted for
  static BigInteger whole(Value value, String what) {
    BigInteger whole = wholeOrNull(value);
    if (whole == null) {
      throw value instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException(what + " must be a whole number, not '" + name(value) + "'");
    }
    return whole;
  }

  /// [#whole] kept within `int`, which every use of it bounds further.
  static int index(Value value, String what) {
    return clamp(whole(value, what));
  }

  static int clamp(BigInteger value) {
    if (value.bitLength() < 32) {
      return value.intValue();
    }
    return value.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
  }
}
