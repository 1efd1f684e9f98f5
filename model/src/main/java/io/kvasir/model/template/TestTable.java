package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;

/// The tests after `is` by name, one line each.
final class TestTable {
  private interface Body {
    boolean holds(Rendering runtime, Value value, Signature.Bound arguments);
  }

  /// A test; its arguments come after the tested value.
  interface Test {
    boolean holds(Rendering runtime, Value value, Arguments arguments);
  }

  private static final Map<String, Test> TESTS = new HashMap<>();

  static {
    add("odd", "", (rt, v, a) -> remainder(rt, v, 2).equals(BigInteger.ONE));
    add("even", "", (rt, v, a) -> remainder(rt, v, 2).signum() == 0);
    add("divisibleby", "num!", (rt, v, a) -> divisible(rt, v, a.get(0)));
    add("defined", "", (rt, v, a) -> !(v instanceof Value.Undefined));
    add("undefined", "", (rt, v, a) -> v instanceof Value.Undefined);
    add("filter", "", (rt, v, a) -> isNamed(v) && FilterTable.has(rt.str(v)));
    add("test", "", (rt, v, a) -> isNamed(v) && has(rt.str(v)));
    add("none", "", (rt, v, a) -> v == Value.None.NONE);
    add("boolean", "", (rt, v, a) -> v instanceof Value.Bool);
    add("false", "", (rt, v, a) -> v instanceof Value.Bool(boolean b) && !b);
    add("true", "", (rt, v, a) -> v instanceof Value.Bool(boolean b) && b);
    add("integer", "", (rt, v, a) -> v instanceof Value.Int);
    add("float", "", (rt, v, a) -> v instanceof Value.Real);
    add("lower", "", (rt, v, a) -> StringChecks.isLower(rt.str(v)));
    add("upper", "", (rt, v, a) -> StringChecks.isUpper(rt.str(v)));
    add("string", "", (rt, v, a) -> v instanceof Str);
    add("mapping", "", (rt, v, a) -> v instanceof Dict);
    add("number", "", (rt, v, a) -> Types.isNumber(v));
    add("sequence", "", (rt, v, a) -> isSequence(v));
    add("iterable", "", (rt, v, a) -> Iteration.isIterable(v));
    add("callable", "", (rt, v, a) -> v instanceof Value.Callable || v instanceof Value.Undefined);
    add("sameas", "other!", (rt, v, a) -> same(v, a.get(0)));
    add("escaped", "", (rt, v, a) -> v instanceof Str s && s.markup());
    add("in", "seq!", (rt, v, a) -> rt.comparison().contains(a.get(0), v));
    for (String name : new String[] {"==", "eq", "equalto"}) {
      add(name, "/ other!", (rt, v, a) -> rt.comparison().equal(v, a.get(0)));
    }
    for (String name : new String[] {"!=", "ne"}) {
      add(name, "/ other!", (rt, v, a) -> !rt.comparison().equal(v, a.get(0)));
    }
    ordered(">", "gt", "greaterthan", ">");
    ordered(">=", "ge", ">=");
    ordered("<", "lt", "lessthan", "<");
    ordered("<=", "le", "<=");
  }

  private TestTable() {}

  private static void add(String name, String parameters, Body body) {
    Signature signature = new Signature(name, parameters);
    TESTS.put(name, (rt, v, a) -> body.holds(rt, v, signature.bind(a)));
  }

  private static void ordered(String operator, String... names) {
    for (String name : names) {
      add(name, "/ other!", (rt, v, a) -> rt.comparison().ordered(operator, v, a.get(0)));
    }
  }

  static boolean has(String name) {
    return TESTS.containsKey(name);
  }

  static Test get(String name) {
    Test test = TESTS.get(name);
    if (test == null) {
      throw unknown(name);
    }
    return test;
  }

  static TemplateException unknown(String name) {
    return new TemplateException("there is no test named '" + name + "'");
  }

  /// `value % divisor` for a whole divisor; a fraction gives a remainder that is neither 0 nor 1.
  private static BigInteger remainder(Rendering rt, Value value, int divisor) {
    Value rest = rt.arithmetic().apply(Expr.Operator.MODULO, value, Value.Int.of(divisor));
    if (rest instanceof Value.Real(double d)) {
      return d == 0 ? BigInteger.ZERO : d == 1 ? BigInteger.ONE : BigInteger.TWO;
    }
    return rest instanceof Value.Int(BigInteger i) ? i : BigInteger.TWO;
  }

  private static boolean divisible(Rendering rt, Value value, Value divisor) {
    Value rest = rt.arithmetic().apply(Expr.Operator.MODULO, value, divisor);
    return rt.comparison().equal(rest, Value.Int.of(0));
  }

  /// Whether a value can be a name; what cannot be a key of a dictionary is an error.
  private static boolean isNamed(Value value) {
    return Dict.identity(value) instanceof String;
  }

  private static boolean isSequence(Value value) {
    return switch (value) {
      case Str s -> true;
      case Value.Sequence s -> true;
      case Dict d -> true;
      case Value.Range r -> true;
      case Value.Undefined u -> true;
      default -> false;
    };
  }

  @SuppressWarnings("ReferenceEquality") // the same object is what the test asks for
  private static boolean same(Value a, Value b) {
    return switch (a) {
      case Value.Bool(boolean x) -> b instanceof Value.Bool(boolean y) && x == y;
      case Value.Int(BigInteger x) ->
          b instanceof Value.Int(BigInteger y) && x.equals(y) && x.bitLength() < 9;
      case Str s -> s == b || b instanceof Str t && s.length() < 2 && s.text().equals(t.text());
      default -> a == b;
    };
  }
}
