package io.kvasir.kvcache.resp;

import io.kvasir.kvcache.tier.BlockKey;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/// Blocks that the store had a short while ago, as far as we know: it may have dropped them since.
///
/// Bounded in number and in age. Any thread may call.
final class SeenKeys {
  private final int limit;
  private final long ageNanos;
  private final LongSupplier clock;
  private final Map<BlockKey, Long> seen;

  SeenKeys(int limit, long ageNanos, LongSupplier clock) {
    this.limit = limit;
    this.ageNanos = ageNanos;
    this.clock = clock;
    this.seen = new LinkedHashMap<>();
  }

  synchronized void add(BlockKey key) {
    seen.remove(key);
    seen.put(key, clock.getAsLong());
    if (seen.size() > limit) {
      seen.remove(seen.keySet().iterator().next());
    }
  }

  synchronized boolean contains(BlockKey key) {
    Long at = seen.get(key);
    if (at != null && clock.getAsLong() - at > ageNanos) {
      seen.remove(key);
      return false;
    }
    return at != null;
  }

  synchronized void remove(BlockKey key) {
    seen.remove(key);
  }

  synchronized void clear() {
    seen.clear();
  }

  synchronized int size() {
    return seen.size();
  }
}
