package io.kvasir.model.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.List;

/// Filters on numbers.
final class NumberFilters {
  private NumberFilters() {}

  static Value abs(Value value) {
    if (value instanceof Value.Real(double d)) {
      return new Value.Real(Math.abs(d));
    }
    return new Value.Int(Types.whole(value, "the value of 'abs'").abs());
  }

  static Value toFloat(Value value, Signature.Bound a) {
    Value fallback = a.get(0, new Value.Real(0));
    return switch (value) {
      case Str s -> {
        Double parsed = NumberText.parseFloat(s.text());
        yield parsed == null ? fallback : new Value.Real(parsed);
      }
      case Value.Undefined u -> throw u.failure();
      default -> Types.isNumber(value) ? new Value.Real(Arithmetic.toDouble(value)) : fallback;
    };
  }

  static Value toInt(Rendering rt, Value value, Signature.Bound a) {
    Value fallback = a.get(0, Value.Int.of(0));
    int base = a.integer(1, 10);
    return switch (value) {
      case Str s -> {
        rt.budget().steps(s.text().length() >> 2);
        boolean allowed = base == 0 || base >= 2 && base <= 36;
        BigInteger whole = allowed ? NumberText.parseInt(s.text(), base) : null;
        if (whole != null) {
          yield new Value.Int(whole);
        }
        Double real = NumberText.parseFloat(s.text());
        yield real == null || !Double.isFinite(real) ? fallback : truncated(real);
      }
      case Value.Real(double d) -> {
        if (Double.isInfinite(d)) {
          throw new TemplateException("cannot convert float infinity to integer");
        }
        yield Double.isNaN(d) ? fallback : truncated(d);
      }
      case Value.Undefined u -> throw u.failure();
      default -> {
        BigInteger whole = Types.wholeOrNull(value);
        yield whole == null ? fallback : new Value.Int(whole);
      }
    };
  }

  private static Value truncated(double value) {
    return new Value.Int(new BigDecimal(value).toBigInteger());
  }

  static Value round(Rendering rt, Value value, Signature.Bound a) {
    int precision = a.integer(0, 0);
    String method = a.text(1, "common");
    if (!List.of("common", "ceil", "floor").contains(method)) {
      throw new TemplateException(
          "'round' rounds 'common', 'ceil' or 'floor', not '" + method + "'");
    }
    if (method.equals("common")) {
      if (value instanceof Value.Real(double d)) {
        return new Value.Real(RealFormat.round(d, precision));
      }
      return new Value.Int(roundWhole(Types.whole(value, "the value of 'round'"), precision));
    }
    Arithmetic arithmetic = rt.arithmetic();
    Value scale = arithmetic.apply(Expr.Operator.POWER, Value.Int.of(10), Value.Int.of(precision));
    Value scaled = arithmetic.apply(Expr.Operator.MULTIPLY, value, scale);
    return arithmetic.apply(Expr.Operator.DIVIDE, towards(scaled, method.equals("ceil")), scale);
  }

  private static Value towards(Value value, boolean up) {
    if (value instanceof Value.Real(double d)) {
      if (!Double.isFinite(d)) {
        throw new TemplateException("cannot round " + NumberText.repr(d));
      }
      return new Value.Int(new BigDecimal(up ? Math.ceil(d) : Math.floor(d)).toBigInteger());
    }
    return value;
  }

  private static BigInteger roundWhole(BigInteger value, int precision) {
    if (precision >= 0) {
      return value;
    }
    if (precision < -NumberText.MAX_DIGITS) {
      return BigInteger.ZERO;
    }
    return new BigDecimal(value).setScale(precision, RoundingMode.HALF_EVEN).toBigInteger();
  }

  static Value sum(Rendering rt, Value value, Signature.Bound a) {
    SequenceFilters.Key key = SequenceFilters.Key.of(rt, TextFilters.orNull(a, 0));
    Value total = a.get(1, Value.Int.of(0));
    if (total instanceof Str) {
      throw new TemplateException("'sum' cannot add strings");
    }
    Iterator<Value> items = Iteration.of(value);
    while (items.hasNext()) {
      total = rt.arithmetic().apply(Expr.Operator.ADD, total, key.apply(items.next()));
    }
    return total;
  }

  static Value fileSize(Rendering rt, Value value, Signature.Bound a) {
    boolean binary = a.truth(0, false);
    Double parsed = value instanceof Str s ? NumberText.parseFloat(s.text()) : null;
    double bytes = value instanceof Str && parsed != null ? parsed : Arithmetic.toDouble(value);
    double base = binary ? 1024 : 1000;
    if (bytes == 1) {
      return new Str("1 Byte");
    }
    if (bytes < base) {
      return new Str((long) bytes + " Bytes");
    }
    String prefixes = "kMGTPEZY";
    double unit = base;
    int prefix = 0;
    while (prefix < prefixes.length() - 1 && bytes >= unit * base) {
      unit *= base;
      prefix++;
    }
    char letter = prefixes.charAt(prefix);
    String name = binary ? Character.toUpperCase(letter) + "iB" : letter + "B";
    double shown = base * bytes / (unit * base);
    return rt.text(RealFormat.format(shown, 'f', 1, false) + " " + name);
  }
}
