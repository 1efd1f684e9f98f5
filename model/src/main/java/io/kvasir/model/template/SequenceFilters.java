package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// Filters on sequences and dictionaries.
final class SequenceFilters {
  private SequenceFilters() {}

  /// What a filter looks at in each item: the item, or what a path such as `address.city` leads to.
  record Key(Rendering runtime, List<Value> path, @Nullable Value fallback, boolean ignoreCase) {

    static Key of(Rendering runtime, @Nullable Value attribute) {
      return new Key(runtime, parts(attribute), null, false);
    }

    static List<Value> parts(@Nullable Value attribute) {
      if (attribute == null || attribute == Value.None.NONE) {
        return List.of();
      }
      if (!(attribute instanceof Str str)) {
        return List.of(attribute);
      }
      List<Value> parts = new ArrayList<>();
      for (String part : Strings.split(str.text(), ".", -1)) {
        boolean digits = !part.isEmpty() && part.codePoints().allMatch(Chars::isDecimal);
        parts.add(
            digits && part.length() < 10 ? Value.Int.of(Integer.parseInt(part)) : new Str(part));
      }
      return parts;
    }

    Value apply(Value item) {
      runtime.budget().step();
      Value value = path.isEmpty() ? item : runtime.attributes().path(item, path, fallback);
      return ignoreCase && value instanceof Str s
          ? s.with(s.text().toLowerCase(Locale.ROOT))
          : value;
    }
  }

  static Value batch(Rendering rt, Value value, Signature.Bound a) {
    int size = a.integer(0, 0);
    Value fill = TextFilters.orNull(a, 1);
    List<Value> batches = new ArrayList<>();
    List<Value> batch = new ArrayList<>();
    for (Value item : Iteration.list(value, rt.budget())) {
      if (batch.size() == size) {
        batches.add(Value.Sequence.list(batch));
        batch = new ArrayList<>();
      }
      batch.add(item);
      rt.budget().items(1);
    }
    if (!batch.isEmpty()) {
      if (fill != null && batch.size() < size) {
        rt.budget().items(size - batch.size());
        while (batch.size() < size) {
          batch.add(fill);
        }
      }
      batches.add(Value.Sequence.list(batch));
    }
    return new Value.Generator(batches.iterator(), "generator");
  }

  static Value slices(Rendering rt, Value value, Signature.Bound a) {
    List<Value> items = Iteration.list(value, rt.budget());
    int slices = a.integer(0, 0);
    if (slices == 0) {
      throw new TemplateException("'slice' needs a number of slices other than 0");
    }
    rt.budget().items((long) Math.max(slices, 0) + items.size());
    Value fill = TextFilters.orNull(a, 1);
    int each = Math.floorDiv(items.size(), slices);
    int extra = Math.floorMod(items.size(), slices);
    List<Value> out = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < slices; i++) {
      int to = from + each + (i < extra ? 1 : 0);
      List<Value> slice = new ArrayList<>(items.subList(from, to));
      if (fill != null && i >= extra) {
        slice.add(fill);
      }
      out.add(Value.Sequence.list(slice));
      from = to;
    }
    return new Value.Generator(out.iterator(), "generator");
  }

  static Value length(Value value) {
    int length = Types.length(value);
    if (length < 0) {
      throw new TemplateException("object of type '" + Types.name(value) + "' has no length");
    }
    return Value.Int.of(length);
  }

  static Value orDefault(Value value, Signature.Bound a) {
    boolean missing = value instanceof Value.Undefined || a.truth(1, false) && !Types.truth(value);
    return missing ? a.get(0, Str.EMPTY) : value;
  }

  static Value first(Value value) {
    Iterator<Value> items = Iteration.of(value);
    return items.hasNext()
        ? items.next()
        : Value.Undefined.because("No first item, sequence was empty.");
  }

  static Value last(Rendering rt, Value value) {
    if (value instanceof Value.Sequence sequence) {
      return sequence.items().isEmpty()
          ? Value.Undefined.because("No last item, sequence was empty.")
          : sequence.items().getLast();
    }
    Value reversed = Iteration.reversed(value, rt.budget());
    if (reversed == null) {
      throw new TemplateException("'" + Types.name(value) + "' object is not reversible");
    }
    Iterator<Value> items = Iteration.of(reversed);
    return items.hasNext()
        ? items.next()
        : Value.Undefined.because("No last item, sequence was empty.");
  }

  /// The pairs of a dictionary; what is none fails when it is walked, not before.
  static Value items(Value value) {
    Iterator<Value> pairs =
        switch (value) {
          case Dict dict -> Iteration.of(new Value.View(dict, Value.View.Kind.ITEMS));
          case Value.Undefined u -> Iteration.of(u);
          default -> new NoPairs(value);
        };
    return new Value.Generator(pairs, "generator");
  }

  private record NoPairs(Value value) implements Iterator<Value> {
    @Override
    public boolean hasNext() {
      throw new TemplateException("'items' needs a dictionary, not '" + Types.name(value) + "'");
    }

    @Override
    public Value next() {
      throw new NoSuchElementException();
    }
  }

  static Value list(Rendering rt, Value value) {
    return Value.Sequence.list(Iteration.list(value, rt.budget()));
  }

  static Value random(Rendering rt, Value value) {
    int length = Types.length(value);
    if (length < 0) {
      throw new TemplateException("'random' needs a sequence, not '" + Types.name(value) + "'");
    }
    return length == 0
        ? Value.Undefined.because("No random item, sequence was empty.")
        : rt.attributes().item(value, Value.Int.of(ThreadLocalRandom.current().nextInt(length)));
  }

  static Value reverse(Rendering rt, Value value) {
    if (value instanceof Str str) {
      return Slices.slice(str, Value.None.NONE, Value.None.NONE, Value.Int.of(-1), rt.budget());
    }
    Value reversed = Iteration.reversed(value, rt.budget());
    if (reversed != null) {
      return reversed;
    }
    if (!Iteration.isIterable(value)) {
      throw new TemplateException("'reverse' needs a sequence, not '" + Types.name(value) + "'");
    }
    return Value.Sequence.list(Iteration.list(value, rt.budget()).reversed());
  }
}
