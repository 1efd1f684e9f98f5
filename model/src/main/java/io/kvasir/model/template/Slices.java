package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;

/// `object[start:stop:step]` as in Python: bounds count from the end when negative and are clipped.
final class Slices {
  private Slices() {}

  static Value slice(Value object, Value start, Value stop, Value step, Budget budget) {
    if (object instanceof Value.Undefined undefined) {
      throw undefined.failure();
    }
    int length = sliceable(object);
    int by = step == Value.None.NONE ? 1 : Types.index(step, "the step of a slice");
    if (by == 0) {
      throw new TemplateException("the step of a slice cannot be zero");
    }
    int from = bound(start, by > 0 ? 0 : length - 1, length, by);
    int to = bound(stop, by > 0 ? length : -1, length, by);
    long span = by > 0 ? (long) to - from : (long) from - to;
    int count = span <= 0 ? 0 : (int) ((span - 1) / Math.abs((long) by) + 1);
    if (object instanceof Str str) {
      return text(str, from, by, count, budget);
    }
    if (object instanceof Value.Range range) {
      return new Value.Range(
          range.start() + from * range.step(),
          range.start() + to * range.step(),
          range.step() * by,
          count);
    }
    budget.items(count);
    List<Value> source = ((Value.Sequence) object).items();
    List<Value> items = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      items.add(source.get(from + i * by));
    }
    return ((Value.Sequence) object).tuple()
        ? Value.Sequence.tuple(items)
        : Value.Sequence.list(items);
  }

  private static int sliceable(Value object) {
    return switch (object) {
      case Str s -> s.length();
      case Value.Sequence s -> s.items().size();
      case Value.Range r -> r.size();
      default ->
          throw new TemplateException("'" + Types.name(object) + "' object cannot be sliced");
    };
  }

  private static int bound(Value value, int fallback, int length, int step) {
    if (value == Value.None.NONE) {
      return fallback;
    }
    long index = Types.index(value, "the bound of a slice");
    if (index < 0) {
      index += length;
    }
    return step > 0 ? Math.clamp(index, 0, length) : Math.clamp(index, -1, length - 1);
  }

  private static Value text(Str str, int from, int step, int count, Budget budget) {
    if (count == 0) {
      return str.with("");
    }
    budget.characters(2L * count);
    if (step == 1) {
      return str.with(str.slice(from, from + count));
    }
    int[] codePoints = str.text().codePoints().toArray();
    budget.characters(codePoints.length);
    StringBuilder out = new StringBuilder(count);
    for (int i = 0; i < count; i++) {
      out.appendCodePoint(codePoints[from + i * step]);
    }
    return str.with(out.toString());
  }
}
