package io.kvasir.model.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The operators `+ - * / // % **` as in Python: whole numbers of any size, floor division, text
/// and lists that add and repeat.
final class Arithmetic {
  private final Budget budget;

  Arithmetic(Budget budget) {
    this.budget = budget;
  }

  Value apply(Expr.Operator operator, Value a, Value b) {
    if (a instanceof Str s && operator == Expr.Operator.MODULO) {
      return new PercentFormat(budget).format(s, b);
    }
    if (a instanceof Value.Undefined u) {
      throw u.failure();
    }
    if (b instanceof Value.Undefined u) {
      throw u.failure();
    }
    BigInteger x = Types.wholeOrNull(a);
    BigInteger y = Types.wholeOrNull(b);
    if (x != null && y != null) {
      return whole(operator, x, y);
    }
    if (Types.isNumber(a) && Types.isNumber(b)) {
      return new Value.Real(real(operator, toDouble(a), toDouble(b)));
    }
    Value joined =
        switch (operator) {
          case ADD -> concatenated(a, b);
          case MULTIPLY -> x != null ? repeated(b, x) : y != null ? repeated(a, y) : null;
          case SUBTRACT, DIVIDE, FLOOR_DIVIDE, MODULO, POWER -> null;
        };
    if (joined == null) {
      throw unsupported(operator, a, b);
    }
    return joined;
  }

  Value negated(Value a) {
    return switch (a) {
      case Value.Real(double d) -> new Value.Real(-d);
      case Value.Undefined u -> throw u.failure();
      default -> {
        BigInteger x = Types.wholeOrNull(a);
        if (x == null) {
          throw new TemplateException("bad operand type for unary -: '" + Types.name(a) + "'");
        }
        yield new Value.Int(x.negate());
      }
    };
  }

  Value plus(Value a) {
    if (a instanceof Value.Real) {
      return a;
    }
    return switch (a) {
      case Value.Undefined u -> throw u.failure();
      default -> {
        BigInteger x = Types.wholeOrNull(a);
        if (x == null) {
          throw new TemplateException("bad operand type for unary +: '" + Types.name(a) + "'");
        }
        yield new Value.Int(x);
      }
    };
  }

  private @Nullable Value concatenated(Value a, Value b) {
    if (a instanceof Str s && b instanceof Str t) {
      budget.characters((long) s.text().length() + t.text().length());
      boolean markup = s.markup() || t.markup();
      return new Str(markup ? Html.soft(s) + Html.soft(t) : s.text() + t.text(), markup);
    }
    if (a instanceof Value.Sequence s && b instanceof Value.Sequence t && s.tuple() == t.tuple()) {
      budget.items((long) s.items().size() + t.items().size());
      List<Value> items = new ArrayList<>(s.items().size() + t.items().size());
      items.addAll(s.items());
      items.addAll(t.items());
      return s.tuple() ? Value.Sequence.tuple(items) : Value.Sequence.list(items);
    }
    return null;
  }

  private @Nullable Value repeated(Value a, BigInteger times) {
    int count = Math.max(0, Types.clamp(times));
    if (a instanceof Str s) {
      budget.characters((long) s.text().length() * count);
      return s.isEmpty() ? s : s.with(s.text().repeat(count));
    }
    if (a instanceof Value.Sequence s) {
      budget.items((long) s.items().size() * count);
      List<Value> items = new ArrayList<>();
      for (int i = 0; i < count && !s.items().isEmpty(); i++) {
        items.addAll(s.items());
      }
      return s.tuple() ? Value.Sequence.tuple(items) : Value.Sequence.list(items);
    }
    return null;
  }

  private Value whole(Expr.Operator operator, BigInteger x, BigInteger y) {
    return switch (operator) {
      case ADD -> checked(x.add(y));
      case SUBTRACT -> checked(x.subtract(y));
      case MULTIPLY -> checked(x.multiply(y));
      case DIVIDE -> new Value.Real(divided(x, y));
      case FLOOR_DIVIDE -> new Value.Int(floorDivided(x, y));
      case MODULO -> new Value.Int(x.subtract(floorDivided(x, y).multiply(y)));
      case POWER -> power(x, y);
    };
  }

  private Value checked(BigInteger value) {
    if (value.bitLength() > Limits.MAX_INTEGER_BITS) {
      throw new TemplateException(
          "a whole number of "
              + value.bitLength()
              + " bits is larger than the allowed "
              + Limits.MAX_INTEGER_BITS);
    }
    budget.steps(value.bitLength() >> 4);
    return new Value.Int(value);
  }

  private static double divided(BigInteger x, BigInteger y) {
    requireDivisor(y.signum() != 0);
    if (x.bitLength() <= 53 && y.bitLength() <= 53) {
      return x.doubleValue() / y.doubleValue();
    }
    return new BigDecimal(x).divide(new BigDecimal(y), new MathContext(60)).doubleValue();
  }

  private static BigInteger floorDivided(BigInteger x, BigInteger y) {
    requireDivisor(y.signum() != 0);
    BigInteger[] parts = x.divideAndRemainder(y);
    boolean adjust = parts[1].signum() != 0 && parts[1].signum() != y.signum();
    return adjust ? parts[0].subtract(BigInteger.ONE) : parts[0];
  }

  private Value power(BigInteger x, BigInteger y) {
    if (y.signum() < 0) {
      return new Value.Real(real(Expr.Operator.POWER, toDouble(x), toDouble(y)));
    }
    boolean trivial = x.bitLength() <= 1 && x.abs().compareTo(BigInteger.ONE) <= 0;
    if (!trivial
        && (y.bitLength() > 20
            || (long) x.bitLength() * y.intValue() > Limits.MAX_INTEGER_BITS + 64L)) {
      throw new TemplateException(
          "a power is larger than the allowed " + Limits.MAX_INTEGER_BITS + " bits");
    }
    if (trivial) {
      boolean even = !y.testBit(0);
      boolean one = y.signum() == 0 || x.signum() != 0 && even;
      return new Value.Int(one ? BigInteger.ONE : x);
    }
    return checked(x.pow(y.intValue()));
  }

  private static double real(Expr.Operator operator, double x, double y) {
    return switch (operator) {
      case ADD -> x + y;
      case SUBTRACT -> x - y;
      case MULTIPLY -> x * y;
      case DIVIDE -> {
        requireDivisor(y != 0);
        yield x / y;
      }
      case FLOOR_DIVIDE -> floorQuotient(x, y);
      case MODULO -> floorRemainder(x, y);
      case POWER -> realPower(x, y);
    };
  }

  /// The remainder with the sign of `y`.
  private static double floorRemainder(double x, double y) {
    requireDivisor(y != 0);
    double remainder = x % y;
    if (remainder == 0) {
      return Math.copySign(0.0, y);
    }
    return (y < 0) != (remainder < 0) ? remainder + y : remainder;
  }

  private static double floorQuotient(double x, double y) {
    requireDivisor(y != 0);
    double remainder = x % y;
    double quotient = (x - remainder) / y;
    if (remainder != 0 && (y < 0) != (remainder < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return Math.copySign(0.0, x / y);
    }
    double floor = Math.floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
  }

  private static double realPower(double x, double y) {
    if (x == 0 && y < 0) {
      throw new TemplateException("0.0 cannot be raised to a negative power");
    }
    if (x < 0 && Double.isFinite(x) && Double.isFinite(y) && y != Math.rint(y)) {
      throw new TemplateException("a negative number has no real power " + y);
    }
    if (x == 1 || y == 0) {
      return 1;
    }
    double power = Math.pow(x, y);
    if (Double.isInfinite(power) && Double.isFinite(x) && Double.isFinite(y)) {
      throw new TemplateException("the result of '**' is too large");
    }
    return power;
  }

  private static void requireDivisor(boolean nonzero) {
    if (!nonzero) {
      throw new TemplateException("division by zero");
    }
  }

  static double toDouble(Value value) {
    if (value instanceof Value.Real(double d)) {
      return d;
    }
    return toDouble(Types.whole(value, "a number"));
  }

  static double toDouble(BigInteger value) {
    double d = value.doubleValue();
    if (Double.isInfinite(d)) {
      throw new TemplateException("a whole number is too large to convert to float");
    }
    return d;
  }

  private static TemplateException unsupported(Expr.Operator operator, Value a, Value b) {
    if (operator == Expr.Operator.ADD && (a instanceof Str || a instanceof Value.Sequence)) {
      String name = Types.name(a);
      return new TemplateException(
          "can only concatenate " + name + " (not \"" + Types.name(b) + "\") to " + name);
    }
    return new TemplateException(
        "unsupported operand types for "
            + operator.sign()
            + ": '"
            + Types.name(a)
            + "' and '"
            + Types.name(b)
            + "'");
  }
}
