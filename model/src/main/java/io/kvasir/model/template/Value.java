package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A value of the template language. The language is Jinja's, and its values are Python's: what
/// prints, compares or fails does so as there. Values never change, except for [Namespace], the
/// position of a [Generator], and the small machines (cycler, joiner, loop).
sealed interface Value
    permits Value.None,
        Value.Undefined,
        Value.Bool,
        Value.Int,
        Value.Real,
        Value.Sequence,
        Value.Range,
        Value.View,
        Value.Generator,
        Value.Namespace,
        Value.Cycler,
        Value.Callable,
        Str,
        Dict {

  /// Python's `None`.
  enum None implements Value {
    NONE
  }

  /// What a missing variable or attribute gives: prints as nothing, is false and empty, and fails
  /// on any other use with its message.
  ///
  /// @param hint the message, or null for the usual words about `name` and `owner`
  /// @param owner what was searched, or null for a variable
  record Undefined(@Nullable String hint, @Nullable String owner, String name) implements Value {
    static Undefined variable(String name) {
      return new Undefined(null, null, name);
    }

    static Undefined because(String hint) {
      return new Undefined(hint, null, "");
    }

    String message() {
      if (hint != null) {
        return hint;
      }
      return owner == null
          ? "'" + name + "' is undefined"
          : "'" + owner + "' has no attribute '" + name + "'";
    }

    TemplateException failure() {
      return new TemplateException(message());
    }
  }

  record Bool(boolean value) implements Value {
    static final Bool TRUE = new Bool(true);
    static final Bool FALSE = new Bool(false);

    static Bool of(boolean value) {
      return value ? TRUE : FALSE;
    }
  }

  record Int(BigInteger value) implements Value {
    static Int of(long value) {
      return new Int(BigInteger.valueOf(value));
    }
  }

  record Real(double value) implements Value {}

  /// A list, or a tuple where `tuple`; `names` are the names of the fields of a named tuple.
  record Sequence(List<Value> items, boolean tuple, List<String> names) implements Value {
    static Sequence list(List<Value> items) {
      return new Sequence(items, false, List.of());
    }

    static Sequence tuple(List<Value> items) {
      return new Sequence(items, true, List.of());
    }

    static Sequence tuple(Value... items) {
      return new Sequence(List.of(items), true, List.of());
    }
  }

  /// `range(start, stop, step)` with `size` numbers.
  record Range(long start, long stop, long step, int size) implements Value {
    Int at(int index) {
      return Int.of(start + index * step);
    }
  }

  /// What the `keys`, `values` and `items` methods of a dictionary give.
  record View(Dict dict, Kind kind) implements Value {
    enum Kind {
      KEYS,
      VALUES,
      ITEMS
    }
  }

  /// A sequence that is computed while it is walked, once.
  ///
  /// @param name what Python would call it
  /// @param depth how many generators it reads from, one through the other
  record Generator(Iterator<Value> iterator, String name, int depth) implements Value {
    public Generator {
      if (depth > Limits.MAX_GENERATORS) {
        throw new TemplateException(
            "more than " + Limits.MAX_GENERATORS + " generators read from each other");
      }
    }

    Generator(Iterator<Value> iterator, String name) {
      this(iterator, name, 0);
    }

    /// A generator that reads from `source`.
    static Generator over(Value source, Iterator<Value> iterator) {
      int depth = source instanceof Generator generator ? generator.depth() + 1 : 0;
      return new Generator(iterator, "generator", depth);
    }
  }

  /// `namespace(...)`: attributes that `set` may change.
  record Namespace(Map<String, Value> attributes) implements Value {}

  /// `cycler(...)`.
  final class Cycler implements Value {
    final List<Value> items;
    int position;

    Cycler(List<Value> items) {
      this.items = items;
    }
  }

  /// Something that can be called.
  non-sealed interface Callable extends Value {
    /// What Python's `type(x).__name__` would say.
    String typeName();

    /// How it prints.
    String text();

    Value call(Rendering runtime, Arguments arguments);
  }
}
