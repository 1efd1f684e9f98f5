package io.kvasir.model.template;

import java.math.BigInteger;
import org.jspecify.annotations.Nullable;

/// The attributes of numbers that templates may use.
final class NumberMethods {
  private NumberMethods() {}

  static @Nullable Value bind(Value number, String name) {
    BigInteger whole = Types.wholeOrNull(number);
    if (whole != null) {
      return switch (name) {
        case "real", "numerator" -> new Value.Int(whole);
        case "imag" -> Value.Int.of(0);
        case "denominator" -> Value.Int.of(1);
        case "bit_length" -> method(name, Value.Int.of(whole.abs().bitLength()));
        case "bit_count" -> method(name, Value.Int.of(whole.abs().bitCount()));
        case "conjugate" -> method(name, new Value.Int(whole));
        default -> null;
      };
    }
    double real = Arithmetic.toDouble(number);
    return switch (name) {
      case "real" -> number;
      case "imag" -> new Value.Real(0);
      case "is_integer" ->
          method(name, Value.Bool.of(Double.isFinite(real) && real == Math.rint(real)));
      case "conjugate" -> method(name, number);
      default -> null;
    };
  }

  private static Value method(String name, Value result) {
    return new Builtin(
        new Signature(name, ""), "builtin_function_or_method", (runtime, arguments) -> result);
  }
}
