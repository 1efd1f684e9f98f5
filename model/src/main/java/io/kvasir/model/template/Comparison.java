package io.kvasir.model.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;

/// Equality, order, membership and sorting as in Python.
final class Comparison {
  private final Budget budget;

  Comparison(Budget budget) {
    this.budget = budget;
  }

  boolean equal(Value a, Value b) {
    return equal(a, b, 0);
  }

  @SuppressWarnings("ReferenceEquality") // objects without a value are equal to themselves only
  private boolean equal(Value a, Value b, int depth) {
    if (depth > Limits.MAX_VALUE_DEPTH) {
      throw new TemplateException("a compared value nests deeper than " + Limits.MAX_VALUE_DEPTH);
    }
    budget.step();
    return switch (a) {
      case Str s -> b instanceof Str t && equalText(s.text(), t.text());
      case Value.Bool x -> Types.isNumber(b) && numbers(a, b) == 0;
      case Value.Int x -> Types.isNumber(b) && numbers(a, b) == 0;
      case Value.Real(double x) ->
          Types.isNumber(b) && !isNan(a) && !isNan(b) && numbers(a, b) == 0;
      case Value.Undefined u -> b instanceof Value.Undefined;
      case Value.Sequence s ->
          b instanceof Value.Sequence t
              && s.tuple() == t.tuple()
              && equalItems(s.items(), t.items(), depth);
      case Dict d -> b instanceof Dict e && equalDicts(d, e, depth);
      case Value.Range r -> b instanceof Value.Range q && Dict.identity(r).equals(Dict.identity(q));
      case Value.View v -> v == b || b instanceof Value.View w && equalViews(v, w, depth);
      case Value.None n -> a == b;
      case Value.Generator g -> a == b;
      case Value.Namespace n -> a == b;
      case Value.Cycler c -> a == b;
      case Value.Callable c -> a == b;
    };
  }

  private boolean equalText(String a, String b) {
    budget.steps(a.length() == b.length() ? a.length() >> 6 : 0);
    return a.equals(b);
  }

  private boolean equalItems(List<Value> a, List<Value> b, int depth) {
    if (a.size() != b.size()) {
      return false;
    }
    for (int i = 0; i < a.size(); i++) {
      if (!equal(a.get(i), b.get(i), depth + 1)) {
        return false;
      }
    }
    return true;
  }

  private boolean equalDicts(Dict a, Dict b, int depth) {
    if (a.size() != b.size()) {
      return false;
    }
    for (Dict.Entry entry : a.entries()) {
      Value other = b.get(entry.key());
      if (other == null || !equal(entry.value(), other, depth + 1)) {
        return false;
      }
    }
    return true;
  }

  private boolean equalViews(Value.View a, Value.View b, int depth) {
    if (a.kind() == Value.View.Kind.VALUES || a.dict().size() != b.dict().size()) {
      return false;
    }
    return a.kind() == b.kind()
        && (a.kind() == Value.View.Kind.ITEMS
            ? equalDicts(a.dict(), b.dict(), depth)
            : a.dict().entries().stream().allMatch(e -> b.dict().contains(e.key())));
  }

  private static boolean isNan(Value value) {
    return value instanceof Value.Real(double d) && Double.isNaN(d);
  }

  /// The exact order of two numbers, neither of them NaN.
  private static int numbers(Value a, Value b) {
    if (isNan(a) || isNan(b)) {
      return 1;
    }
    BigInteger x = Types.wholeOrNull(a);
    BigInteger y = Types.wholeOrNull(b);
    if (x != null && y != null) {
      return x.compareTo(y);
    }
    if (x == null && y == null) {
      double p = ((Value.Real) a).value();
      double q = ((Value.Real) b).value();
      return p < q ? -1 : p > q ? 1 : 0;
    }
    if (x == null) {
      return -numbers(b, a);
    }
    double q = ((Value.Real) b).value();
    if (Double.isInfinite(q)) {
      return q > 0 ? -1 : 1;
    }
    return new BigDecimal(x).compareTo(new BigDecimal(q));
  }

  /// `a OPERATOR b` for one of `<`, `<=`, `>`, `>=`.
  boolean ordered(String operator, Value a, Value b) {
    return ordered(operator, a, b, 0);
  }

  private boolean ordered(String operator, Value a, Value b, int depth) {
    budget.step();
    if (Types.isNumber(a) && Types.isNumber(b)) {
      return !isNan(a) && !isNan(b) && holds(operator, numbers(a, b));
    }
    if (a instanceof Str s && b instanceof Str t) {
      budget.steps(Math.min(s.text().length(), t.text().length()) >> 6);
      return holds(operator, compareText(s.text(), t.text()));
    }
    if (a instanceof Value.Sequence s
        && b instanceof Value.Sequence t
        && s.tuple() == t.tuple()
        && depth <= Limits.MAX_VALUE_DEPTH) {
      return orderedItems(operator, s.items(), t.items(), depth);
    }
    if (a instanceof Value.Undefined u) {
      throw u.failure();
    }
    if (b instanceof Value.Undefined u) {
      throw u.failure();
    }
    throw new TemplateException(
        "'"
            + operator
            + "' not supported between instances of '"
            + Types.name(a)
            + "' and '"
            + Types.name(b)
            + "'");
  }

  private boolean orderedItems(String operator, List<Value> a, List<Value> b, int depth) {
    int common = Math.min(a.size(), b.size());
    for (int i = 0; i < common; i++) {
      if (!equal(a.get(i), b.get(i), depth + 1)) {
        return ordered(operator, a.get(i), b.get(i), depth + 1);
      }
    }
    return holds(operator, Integer.compare(a.size(), b.size()));
  }

  private static boolean holds(String operator, int order) {
    return switch (operator) {
      case "<" -> order < 0;
      case "<=" -> order <= 0;
      case ">" -> order > 0;
      case ">=" -> order >= 0;
      default -> throw new IllegalArgumentException("no ordering operator: " + operator);
    };
  }

  /// Order by code points; UTF-16 order differs above the surrogates.
  static int compareText(String a, String b) {
    int common = Math.min(a.length(), b.length());
    for (int i = 0; i < common; i++) {
      char x = a.charAt(i);
      char y = b.charAt(i);
      if (x != y) {
        boolean surrogates = Character.isSurrogate(x) != Character.isSurrogate(y);
        return surrogates ? (Character.isSurrogate(x) ? 1 : -1) : Character.compare(x, y);
      }
    }
    return Integer.compare(a.length(), b.length());
  }

  /// `item in container`.
  boolean contains(Value container, Value item) {
    return switch (container) {
      case Str s -> {
        if (item instanceof Str t) {
          budget.steps(s.text().length() >> 6);
          yield TextSearch.indexOf(s.text(), t.text(), 0) >= 0;
        }
        throw new TemplateException(
            "'in <string>' requires a string on its left, not '" + Types.name(item) + "'");
      }
      case Dict d -> d.contains(item);
      case Value.View(Dict d, Value.View.Kind kind) when kind == Value.View.Kind.KEYS ->
          d.contains(item);
      case Value.Range r when item instanceof Value.Int(BigInteger i) -> inRange(r, i);
      default -> {
        if (!Iteration.isIterable(container)) {
          throw new TemplateException(
              "argument of type '" + Types.name(container) + "' is not iterable");
        }
        Iterator<Value> items = Iteration.of(container);
        while (items.hasNext()) {
          if (equal(items.next(), item)) {
            yield true;
          }
        }
        yield false;
      }
    };
  }

  private static boolean inRange(Value.Range range, BigInteger item) {
    if (item.bitLength() > 62) {
      return false;
    }
    long offset = item.longValue() - range.start();
    return offset % range.step() == 0
        && offset / range.step() >= 0
        && offset / range.step() < range.size();
  }

  /// A stable merge sort by `<` alone, so that values without a consistent order (NaN) do no harm.
  List<Value> sorted(List<Value> items, Function<Value, Value> key, boolean reverse) {
    budget.items(items.size());
    List<Keyed> keyed = new ArrayList<>(items.size());
    for (Value item : items) {
      keyed.add(new Keyed(key.apply(item), item));
    }
    Keyed[] source = keyed.toArray(Keyed[]::new);
    mergeSort(source, source.clone(), 0, source.length, reverse);
    List<Value> out = new ArrayList<>(source.length);
    for (Keyed entry : source) {
      out.add(entry.item());
    }
    return out;
  }

  private record Keyed(Value key, Value item) {}

  /// Sorts `target[from, to)`; `source` holds the same elements.
  private void mergeSort(Keyed[] target, Keyed[] source, int from, int to, boolean reverse) {
    if (to - from < 2) {
      return;
    }
    int middle = (from + to) >>> 1;
    mergeSort(source, target, from, middle, reverse);
    mergeSort(source, target, middle, to, reverse);
    int left = from;
    int right = middle;
    for (int i = from; i < to; i++) {
      boolean takeRight =
          left == middle
              || right < to
                  && (reverse
                      ? ordered("<", source[left].key(), source[right].key())
                      : ordered("<", source[right].key(), source[left].key()));
      target[i] = takeRight ? source[right++] : source[left++];
    }
  }
}
