package io.kvasir.engine;

import io.kvasir.kvcache.KvCache;

/// Proves the cache's invariants from time to time while the engine works. Owned by the engine's
/// thread.
final class Auditor {
  private static final System.Logger LOG = System.getLogger(Auditor.class.getName());

  private final KvCache cache;
  private final long everyNanos;
  private long lastNanos = System.nanoTime();
  private long audits;
  private long violations;

  /// @param everyNanos 0 for never
  Auditor(KvCache cache, long everyNanos) {
    this.cache = cache;
    this.everyNanos = everyNanos;
  }

  /// Audits where it is time.
  void look(long nowNanos) {
    if (everyNanos == 0 || nowNanos - lastNanos < everyNanos) {
      return;
    }
    audits++;
    try {
      cache.verify();
    } catch (RuntimeException e) {
      violations++;
      LOG.log(System.Logger.Level.ERROR, "event=audit_failed reason=\"" + e.getMessage() + "\"");
    }
    lastNanos = System.nanoTime();
  }

  EngineSnapshot.Audits audits() {
    return new EngineSnapshot.Audits(audits, violations);
  }
}
