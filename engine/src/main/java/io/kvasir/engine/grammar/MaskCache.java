package io.kvasir.engine.grammar;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// The masks of a grammar's states within one rule, whatever the stack under it: XGrammar's context
/// independent tokens (arXiv 2411.15100). Bounded in bytes; when full it starts anew, since a mask
/// costs little more than it holds. Thread-safe.
final class MaskCache {
  private final long capacityBytes;
  private final ConcurrentHashMap<Key, Entry> entries = new ConcurrentHashMap<>();
  private final AtomicLong bytes = new AtomicLong();

  MaskCache(long capacityBytes) {
    this.capacityBytes = capacityBytes;
  }

  /// @param state a state of the automaton
  /// @param count its rule's counter, or one that stands for it
  record Key(int state, long count) {}

  /// What can be said without the stack.
  static final class Entry {
    /// The tokens that stay within the rule or end it exactly.
    final long[] mask;

    /// The greatest number of bytes that may be needed behind such a token to end the rule.
    final long cost;

    /// The trie's inner nodes at which the rule may have ended, so that the rest of a token is up
    /// to the stack; 0, the root, where it may end at once.
    final int[] exits;

    /// What each token and then each exit adds to the counter, for a mask without a limit from
    /// which those with limits are made; empty for others.
    final short[] needs;

    Entry(long[] mask, long cost, int[] exits, short[] needs) {
      this.mask = mask;
      this.cost = cost;
      this.exits = exits;
      this.needs = needs;
    }

    long bytes() {
      return 120 + 8L * mask.length + 4L * exits.length + 2L * needs.length;
    }
  }

  @Nullable Entry get(Key key) {
    return entries.get(key);
  }

  void put(Key key, Entry entry) {
    if (bytes.addAndGet(entry.bytes()) > capacityBytes) {
      entries.clear();
      bytes.set(entry.bytes());
    }
    entries.put(key, entry);
  }

  long bytes() {
    return bytes.get();
  }
}
