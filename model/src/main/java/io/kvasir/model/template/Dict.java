package io.kvasir.model.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A dictionary in insertion order. Keys are equal as Python's are: `1`, `1.0` and `True` are one
/// key. Filled while it is built, never changed afterwards.
final class Dict implements Value {

  /// One pair; `key` is the first key that was put, as it prints.
  record Entry(Value key, Value value) {}

  private final Map<Object, Entry> entries;

  Dict() {
    entries = new LinkedHashMap<>();
  }

  Dict(int expected) {
    entries = LinkedHashMap.newLinkedHashMap(expected);
  }

  Dict(Dict other) {
    entries = new LinkedHashMap<>(other.entries);
  }

  static Dict ofStrings(Map<String, Value> values) {
    Dict dict = new Dict(values.size());
    for (Map.Entry<String, Value> entry : values.entrySet()) {
      dict.put(new Str(entry.getKey()), entry.getValue());
    }
    return dict;
  }

  void put(Value key, Value value) {
    Object identity = identity(key);
    Entry old = entries.get(identity);
    entries.put(identity, new Entry(old == null ? key : old.key(), value));
  }

  @Nullable Value get(Value key) {
    Entry entry = entries.get(identity(key));
    return entry == null ? null : entry.value();
  }

  @Nullable Value get(String key) {
    Entry entry = entries.get(key);
    return entry == null ? null : entry.value();
  }

  boolean contains(Value key) {
    return entries.containsKey(identity(key));
  }

  int size() {
    return entries.size();
  }

  Collection<Entry> entries() {
    return entries.values();
  }

  /// An object whose `equals` and `hashCode` are Python's `==` and `hash` of `key`.
  ///
  /// @throws TemplateException where the key cannot be hashed, such as a list
  static Object identity(Value key) {
    return identity(key, new int[1]);
  }

  /// @param parts the parts of tuples seen so far, as shared tuples would count without end
  private static Object identity(Value key, int[] parts) {
    return switch (key) {
      case Str str -> str.text();
      case Bool(boolean value) -> value ? BigInteger.ONE : BigInteger.ZERO;
      case Int(BigInteger value) -> value;
      case Real(double value) -> realIdentity(value);
      case Undefined u -> Undefined.class;
      case Sequence(List<Value> items, boolean tuple, var names) when tuple ->
          tupleIdentity(items, parts);
      case Sequence list -> throw new TemplateException("unhashable type: 'list'");
      case Dict dict -> throw new TemplateException("unhashable type: 'dict'");
      case View view -> throw new TemplateException("unhashable type: '" + Types.name(view) + "'");
      case None none -> none;
      case Range(long start, long stop, long step, int size) ->
          List.of(Range.class, size, size == 0 ? 0 : start, size < 2 ? 0 : step);
      case Generator generator -> new Identity(generator);
      case Namespace namespace -> new Identity(namespace);
      case Cycler cycler -> new Identity(cycler);
      case Callable callable -> new Identity(callable);
    };
  }

  private static Object tupleIdentity(List<Value> items, int[] parts) {
    parts[0] += items.size() + 1;
    if (parts[0] > Limits.MAX_KEY_PARTS) {
      throw new TemplateException(
          "a tuple of more than " + Limits.MAX_KEY_PARTS + " parts cannot be a key");
    }
    List<Object> identities = new ArrayList<>(items.size());
    for (Value item : items) {
      identities.add(identity(item, parts));
    }
    return identities;
  }

  private static Object realIdentity(double value) {
    if (value == Math.rint(value) && Double.isFinite(value)) {
      return new java.math.BigDecimal(value).toBigIntegerExact();
    }
    return value;
  }

  /// Equality by identity.
  private record Identity(Value value) {
    @Override
    @SuppressWarnings("ReferenceEquality") // the same object is what is meant
    public boolean equals(Object other) {
      return other instanceof Identity identity && identity.value == value;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(value);
    }
  }
}
