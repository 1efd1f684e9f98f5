package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The variable `loop` of a running loop. It looks one item ahead only when asked to.
final class Loop implements Value.Callable {
  /// Renders the same loop over other items, one level deeper.
  interface Recursion {
    Value render(Value items, int depth0);
  }

  private final @Nullable Recursion recursion;
  private final int depth0;
  private Iterator<Value> iterator;
  private int index0 = -1;
  private int length;
  private @Nullable Value previous;
  private @Nullable Value current;
  private @Nullable Value after;
  private @Nullable List<Value> lastChanged;

  /// @param length the number of items, or -1 when only walking them tells
  Loop(Iterator<Value> iterator, int length, @Nullable Recursion recursion, int depth0) {
    this.iterator = iterator;
    this.length = length;
    this.recursion = recursion;
    this.depth0 = depth0;
  }

  /// The next item, or null at the end.
  @Nullable Value advance() {
    Value item = after;
    after = null;
    if (item == null) {
      if (!iterator.hasNext()) {
        return null;
      }
      item = iterator.next();
    }
    index0++;
    previous = current;
    current = item;
    return item;
  }

  private @Nullable Value peek() {
    if (after == null && iterator.hasNext()) {
      after = iterator.next();
    }
    return after;
  }

  int length() {
    if (length < 0) {
      List<Value> remaining = new ArrayList<>();
      while (iterator.hasNext()) {
        remaining.add(iterator.next());
      }
      iterator = remaining.iterator();
      length = remaining.size() + index0 + 1 + (after != null ? 1 : 0);
    }
    return length;
  }

  /// The attribute `name`, or null where `loop` has none of that name.
  @Nullable Value attribute(String name) {
    return switch (name) {
      case "index" -> Value.Int.of(index0 + 1);
      case "index0" -> Value.Int.of(index0);
      case "revindex" -> Value.Int.of(length() - index0);
      case "revindex0" -> Value.Int.of(length() - index0 - 1);
      case "first" -> Value.Bool.of(index0 == 0);
      case "last" -> Value.Bool.of(peek() == null);
      case "length" -> Value.Int.of(length());
      case "depth" -> Value.Int.of(depth0 + 1);
      case "depth0" -> Value.Int.of(depth0);
      case "previtem" ->
          index0 == 0 || previous == null
              ? Value.Undefined.because("there is no previous item")
              : previous;
      case "nextitem" -> {
        Value next = peek();
        yield next == null ? Value.Undefined.because("there is no next item") : next;
      }
      case "cycle" -> Builtin.function("loop.cycle", "/ *", (rt, a) -> cycle(a.rest()));
      case "changed" -> Builtin.function("loop.changed", "/ *", (rt, a) -> changed(rt, a.rest()));
      default -> null;
    };
  }

  private Value cycle(List<Value> items) {
    if (items.isEmpty()) {
      throw new TemplateException("'loop.cycle' needs the items to cycle through");
    }
    return items.get(Math.floorMod(index0, items.size()));
  }

  private Value changed(Rendering runtime, List<Value> values) {
    List<Value> last = lastChanged;
    boolean same =
        last != null
            && runtime.comparison().equal(Value.Sequence.tuple(last), Value.Sequence.tuple(values));
    lastChanged = values;
    return Value.Bool.of(!same);
  }

  @Override
  public String typeName() {
    return "LoopContext";
  }

  @Override
  public String text() {
    return "<LoopContext " + (index0 + 1) + "/" + length() + ">";
  }

  @Override
  public Value call(Rendering runtime, Arguments arguments) {
    if (recursion == null) {
      throw new TemplateException("only a loop marked 'recursive' can be called");
    }
    Signature.Bound bound = new Signature("loop", "iterable!").bind(arguments);
    return recursion.render(bound.get(0), depth0 + 1);
  }
}
