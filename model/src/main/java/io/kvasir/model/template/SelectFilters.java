package io.kvasir.model.template;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// `map`, `select`, `reject` and their `attr` forms: filters that apply a filter or test to each
/// item while the result is walked.
final class SelectFilters {
  private SelectFilters() {}

  private interface Step {
    Value apply(Value item);
  }

  static Value map(Rendering rt, Value value, Arguments a) {
    Step step = mapping(rt, a);
    Iterator<Value> items = itemsIfTrue(value);
    return Value.Generator.over(
        value,
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return items.hasNext();
          }

          @Override
          public Value next() {
            rt.budget().step();
            return step.apply(items.next());
          }
        });
  }

  private static Step mapping(Rendering rt, Arguments a) {
    Value attribute = a.keywords().get("attribute");
    if (a.positional().isEmpty() && attribute != null) {
      Map<String, Value> others = new LinkedHashMap<>(a.keywords());
      others.remove("attribute");
      Value fallback = others.remove("default");
      if (!others.isEmpty()) {
        throw new TemplateException(
            "'map' does not take the argument '" + others.keySet().iterator().next() + "'");
      }
      List<Value> parts = SequenceFilters.Key.parts(attribute);
      Value present = fallback == Value.None.NONE ? null : fallback;
      return new SequenceFilters.Key(rt, parts, present, false)::apply;
    }
    if (a.positional().isEmpty()) {
      throw new TemplateException("'map' needs the name of a filter");
    }
    String filter = rt.str(a.positional().getFirst());
    Arguments rest = a.from(1);
    return item -> rt.filter(filter, item, rest);
  }

  /// The items of a value; none when it is false, such as `None`.
  private static Iterator<Value> itemsIfTrue(Value value) {
    return Iteration.of(Types.truth(value) ? value : Value.Undefined.because(""));
  }

  /// @param byAttribute whether the first argument names an attribute to test
  /// @param wanted the outcome of the test that keeps an item
  static Value select(Rendering rt, Value value, Arguments a, boolean byAttribute, boolean wanted) {
    Arguments test = a;
    SequenceFilters.Key key = SequenceFilters.Key.of(rt, null);
    if (byAttribute) {
      if (a.positional().isEmpty()) {
        throw new TemplateException("the name of an attribute is missing");
      }
      key = SequenceFilters.Key.of(rt, a.positional().getFirst());
      test = a.from(1);
    }
    boolean plain = test.positional().isEmpty();
    String name = plain ? "" : rt.str(test.positional().getFirst());
    Arguments rest = plain ? Arguments.NONE : test.from(1);
    SequenceFilters.Key tested = key;
    Step step = plain ? tested::apply : item -> rt.test(name, tested.apply(item), rest);
    return Value.Generator.over(value, new Selected(rt, itemsIfTrue(value), step, wanted));
  }

  /// The items whose test comes out as wanted, found one ahead.
  private static final class Selected implements Iterator<Value> {
    private final Rendering runtime;
    private final Iterator<Value> items;
    private final Step test;
    private final boolean wanted;
    private @Nullable Value next;

    Selected(Rendering runtime, Iterator<Value> items, Step test, boolean wanted) {
      this.runtime = runtime;
      this.items = items;
      this.test = test;
      this.wanted = wanted;
    }

    @Override
    public boolean hasNext() {
      while (next == null && items.hasNext()) {
        runtime.budget().step();
        Value item = items.next();
        if (Types.truth(test.apply(item)) == wanted) {
          next = item;
        }
      }
      return next != null;
    }

    @Override
    public Value next() {
      if (!hasNext() || next == null) {
        throw new NoSuchElementException();
      }
      Value item = next;
      next = null;
      return item;
    }
  }
}
