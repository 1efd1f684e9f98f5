package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/// Grammars by their source, the least recently used forgotten first: clients send the same schema
/// with every request. Bounded in bytes, masks included. Thread-safe; a grammar that two threads
/// ask for at once may be compiled twice.
public final class GrammarCache {
  private static final int MAX_GRAMMARS = 128;

  private final GrammarCompiler compiler;
  private final long capacityBytes;
  private final Map<Key, Grammar> grammars = new LinkedHashMap<>(16, 0.75f, true);

  private enum Kind {
    JSON_SCHEMA,
    REGEX,
    CHOICE
  }

  private record Key(Kind kind, List<String> source) {
    long bytes() {
      long sum = 100;
      for (String text : source) {
        sum += 60 + 2L * text.length();
      }
      return sum;
    }
  }

  /// @param capacityBytes what all grammars, their masks and sources may take together; the one
  ///   used last is always kept
  public GrammarCache(GrammarCompiler compiler, long capacityBytes) {
    if (capacityBytes < 0) {
      throw new IllegalArgumentException("capacityBytes is " + capacityBytes);
    }
    this.compiler = compiler;
    this.capacityBytes = capacityBytes;
  }

  /// As [GrammarCompiler#jsonSchema(String)].
  public Grammar jsonSchema(String schema) {
    return get(new Key(Kind.JSON_SCHEMA, List.of(schema)), () -> compiler.jsonSchema(schema));
  }

  /// As [GrammarCompiler#jsonSchema(Json)].
  public Grammar jsonSchema(Json schema) {
    return get(
        new Key(Kind.JSON_SCHEMA, List.of(schema.toText())), () -> compiler.jsonSchema(schema));
  }

  /// As [GrammarCompiler#jsonObject()].
  public Grammar jsonObject() {
    return jsonSchema(GrammarCompiler.ANY_OBJECT);
  }

  /// As [GrammarCompiler#regex(String)].
  public Grammar regex(String pattern) {
    return get(new Key(Kind.REGEX, List.of(pattern)), () -> compiler.regex(pattern));
  }

  /// As [GrammarCompiler#choice(List)].
  public Grammar choice(List<String> choices) {
    List<String> copy = List.copyOf(choices);
    return get(new Key(Kind.CHOICE, copy), () -> compiler.choice(copy));
  }

  private Grammar get(Key key, Supplier<Grammar> compile) {
    synchronized (grammars) {
      Grammar known = grammars.get(key);
      if (known != null) {
        evict();
        return known;
      }
    }
    Grammar made = compile.get();
    synchronized (grammars) {
      grammars.put(key, made);
      evict();
    }
    return made;
  }

  /// How many grammars are kept.
  public int size() {
    synchronized (grammars) {
      return grammars.size();
    }
  }

  /// Bytes of memory that the grammars, their masks and sources take, roughly.
  public long bytes() {
    synchronized (grammars) {
      return sum();
    }
  }

  private long sum() {
    long sum = 0;
    for (Map.Entry<Key, Grammar> e : grammars.entrySet()) {
      sum += bytes(e);
    }
    return sum;
  }

  private static long bytes(Map.Entry<Key, Grammar> e) {
    return e.getKey().bytes() + e.getValue().bytes() + e.getValue().maskBytes();
  }

  private void evict() {
    long sum = sum();
    List<Key> gone = new ArrayList<>();
    Iterator<Map.Entry<Key, Grammar>> eldest = grammars.entrySet().iterator();
    while (grammars.size() - gone.size() > 1
        && (sum > capacityBytes || grammars.size() - gone.size() > MAX_GRAMMARS)) {
      Map.Entry<Key, Grammar> e = eldest.next();
      sum -= bytes(e);
      gone.add(e.getKey());
    }
    gone.forEach(grammars::remove);
  }
}
