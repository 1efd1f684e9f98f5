package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Filters that compare items: sorting, grouping, the least, the greatest, the distinct.
final class OrderFilters {
  private OrderFilters() {}

  private static SequenceFilters.Key key(
      Rendering rt, @Nullable Value attribute, @Nullable Value fallback, boolean caseSensitive) {
    List<Value> parts = SequenceFilters.Key.parts(attribute);
    return new SequenceFilters.Key(rt, parts, fallback, !caseSensitive);
  }

  static Value sort(Rendering rt, Value value, Signature.Bound a) {
    boolean caseSensitive = a.truth(1, false);
    List<Value> items = Iteration.list(value, rt.budget());
    List<SequenceFilters.Key> keys = new ArrayList<>();
    Value attribute = TextFilters.orNull(a, 2);
    if (attribute instanceof Str str) {
      for (String path : Strings.split(str.text(), ",", -1)) {
        keys.add(key(rt, new Str(path), null, caseSensitive));
      }
    } else {
      keys.add(key(rt, attribute, null, caseSensitive));
    }
    return Value.Sequence.list(
        rt.comparison()
            .sorted(
                items,
                item -> {
                  List<Value> parts = new ArrayList<>(keys.size());
                  for (SequenceFilters.Key key : keys) {
                    parts.add(key.apply(item));
                  }
                  return Value.Sequence.list(parts);
                },
                a.truth(0, false)));
  }

  static Value dictSort(Rendering rt, Value value, Signature.Bound a) {
    if (!(value instanceof Dict dict)) {
      throw value instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException("'dictsort' needs a dictionary, not '" + Types.name(value) + "'");
    }
    String by = a.text(1, "key");
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateException("'dictsort' sorts by 'key' or 'value', not '" + by + "'");
    }
    Value position = Value.Int.of(by.equals("key") ? 0 : 1);
    SequenceFilters.Key key = key(rt, position, null, a.truth(0, false));
    Value.View items = new Value.View(dict, Value.View.Kind.ITEMS);
    return Value.Sequence.list(
        rt.comparison().sorted(Iteration.list(items, rt.budget()), key::apply, a.truth(2, false)));
  }

  static Value extreme(Rendering rt, Value value, Signature.Bound a, boolean greatest) {
    SequenceFilters.Key key = key(rt, TextFilters.orNull(a, 1), null, a.truth(0, false));
    Iterator<Value> items = Iteration.of(value);
    if (!items.hasNext()) {
      return Value.Undefined.because("No aggregated item, sequence was empty.");
    }
    Value best = items.next();
    Value bestKey = key.apply(best);
    while (items.hasNext()) {
      Value item = items.next();
      Value itemKey = key.apply(item);
      if (rt.comparison().ordered(greatest ? ">" : "<", itemKey, bestKey)) {
        best = item;
        bestKey = itemKey;
      }
    }
    return best;
  }

  static Value unique(Rendering rt, Value value, Signature.Bound a) {
    SequenceFilters.Key key = key(rt, TextFilters.orNull(a, 1), null, a.truth(0, false));
    Set<Object> seen = new HashSet<>();
    List<Value> items = new ArrayList<>();
    for (Value item : Iteration.list(value, rt.budget())) {
      rt.budget().items(1);
      if (seen.add(Dict.identity(key.apply(item)))) {
        items.add(item);
      }
    }
    return new Value.Generator(items.iterator(), "generator");
  }

  static Value groupBy(Rendering rt, Value value, Signature.Bound a) {
    Value fallback = TextFilters.orNull(a, 1);
    boolean caseSensitive = a.truth(2, false);
    SequenceFilters.Key key = key(rt, a.get(0), fallback, caseSensitive);
    SequenceFilters.Key shown = key(rt, a.get(0), fallback, true);
    List<Value> items = Iteration.list(value, rt.budget());
    List<Value> groups = new ArrayList<>();
    List<Value> group = new ArrayList<>();
    Value groupKey = Value.None.NONE;
    for (Value item : rt.comparison().sorted(items, key::apply, false)) {
      Value itemKey = key.apply(item);
      if (!group.isEmpty() && !rt.comparison().equal(itemKey, groupKey)) {
        groups.add(group(shown.apply(group.getFirst()), group));
        group = new ArrayList<>();
      }
      groupKey = group.isEmpty() ? itemKey : groupKey;
      group.add(item);
    }
    if (!group.isEmpty()) {
      groups.add(group(shown.apply(group.getFirst()), group));
    }
    return Value.Sequence.list(groups);
  }

  private static Value group(Value key, List<Value> items) {
    return new Value.Sequence(
        List.of(key, Value.Sequence.list(items)), true, List.of("grouper", "list"));
  }
}
