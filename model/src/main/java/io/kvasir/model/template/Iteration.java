package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.PrimitiveIterator;
import java.util.function.IntFunction;

/// Walking over values: Python's `iter`, `list` and `reversed`.
final class Iteration {
  private Iteration() {}

  static boolean isIterable(Value value) {
    return switch (value) {
      case Str s -> true;
      case Value.Sequence s -> true;
      case Dict d -> true;
      case Value.Range r -> true;
      case Value.View v -> true;
      case Value.Generator g -> true;
      case Value.Undefined u -> true;
      case Loop l -> true;
      case Value.None n -> false;
      case Value.Bool b -> false;
      case Value.Int i -> false;
      case Value.Real r -> false;
      case Value.Namespace n -> false;
      case Value.Cycler c -> false;
      case Value.Callable c -> false;
    };
  }

  static Iterator<Value> of(Value value) {
    return switch (value) {
      case Str s -> characters(s);
      case Value.Sequence s -> s.items().iterator();
      case Dict d -> of(new Value.View(d, Value.View.Kind.KEYS));
      case Value.Range r -> counted(r.size(), r::at);
      case Value.View v -> elements(v);
      case Value.Generator g -> g.iterator();
      case Value.Undefined u -> Collections.emptyIterator();
      case Loop l -> throw notIterable(l);
      case Value.None n -> throw notIterable(n);
      case Value.Bool b -> throw notIterable(b);
      case Value.Int i -> throw notIterable(i);
      case Value.Real r -> throw notIterable(r);
      case Value.Namespace n -> throw notIterable(n);
      case Value.Cycler c -> throw notIterable(c);
      case Value.Callable c -> throw notIterable(c);
    };
  }

  /// All items; the list itself where the value is a list, which never changes.
  static List<Value> list(Value value, Budget budget) {
    if (value instanceof Value.Sequence sequence) {
      budget.steps(sequence.items().size());
      return sequence.items();
    }
    int length = Types.length(value);
    List<Value> items = new ArrayList<>(Math.max(length, 8));
    Iterator<Value> iterator = of(value);
    while (iterator.hasNext()) {
      budget.items(1);
      items.add(iterator.next());
    }
    return items;
  }

  /// `reversed(value)`, or null where Python has none for it.
  static @org.jspecify.annotations.Nullable Value reversed(Value value, Budget budget) {
    return switch (value) {
      case Value.Sequence s ->
          new Value.Generator(
              backwards(s.items()), s.tuple() ? "reversed" : "list_reverseiterator");
      case Str s -> new Value.Generator(backwards(list(s, budget)), "reversed");
      case Dict d -> new Value.Generator(backwards(list(d, budget)), "dict_reversekeyiterator");
      case Value.View v -> new Value.Generator(backwards(list(v, budget)), "dict_reverseiterator");
      case Value.Range r ->
          new Value.Generator(counted(r.size(), i -> r.at(r.size() - 1 - i)), "range_iterator");
      case Value.Undefined u -> new Value.Generator(Collections.emptyIterator(), "reversed");
      default -> null;
    };
  }

  /// The element that a view shows for an entry.
  static Value element(Value.View view, Dict.Entry entry) {
    return switch (view.kind()) {
      case KEYS -> entry.key();
      case VALUES -> entry.value();
      case ITEMS -> Value.Sequence.tuple(entry.key(), entry.value());
    };
  }

  private static Iterator<Value> elements(Value.View view) {
    Iterator<Dict.Entry> entries = view.dict().entries().iterator();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return entries.hasNext();
      }

      @Override
      public Value next() {
        return element(view, entries.next());
      }
    };
  }

  private static Iterator<Value> characters(Str str) {
    PrimitiveIterator.OfInt codePoints = str.codePoints();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return codePoints.hasNext();
      }

      @Override
      public Value next() {
        return Str.of(codePoints.nextInt());
      }
    };
  }

  private static Iterator<Value> backwards(List<Value> items) {
    return counted(items.size(), i -> items.get(items.size() - 1 - i));
  }

  private static Iterator<Value> counted(int size, IntFunction<Value> item) {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < size;
      }

      @Override
      public Value next() {
        if (next >= size) {
          throw new NoSuchElementException();
        }
        return item.apply(next++);
      }
    };
  }

  private static TemplateException notIterable(Value value) {
    return new TemplateException("'" + Types.name(value) + "' object is not iterable");
  }
}
