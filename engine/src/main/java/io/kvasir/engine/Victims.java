package io.kvasir.engine;

import io.kvasir.kvcache.KvCache;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Chooses which running sequence gives its blocks to others.
///
/// Where the engine lacks room, the one of lowest priority goes; among equals one of the tenant
/// that holds most blocks beyond its share of the cache, and of those the one that came last. A
/// tenant's share is its weight among the tenants that have requests.
///
/// Owned by the engine's thread.
final class Victims {
  private final List<Sequence> running;
  private final FairQueue queue;
  private final KvCache cache;

  Victims(List<Sequence> running, FairQueue queue, KvCache cache) {
    this.running = running;
    this.queue = queue;
    this.cache = cache;
  }

  /// The sequence to preempt where there is no room for a running one.
  Sequence first() {
    boolean shared = queue.activeTenants() > 1;
    Sequence victim = null;
    double victimExcess = 0;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      double excess = shared ? Math.max(0, excess(sequence.tenant())) : 0;
      if (victim == null || goesBefore(sequence, excess, victim, victimExcess)) {
        victim = sequence;
        victimExcess = excess;
      }
    }
    if (victim == null) {
      throw new IllegalStateException("blocks are short and no sequence is running");
    }
    return victim;
  }

  private static boolean goesBefore(
      Sequence sequence, double excess, Sequence victim, double victimExcess) {
    int own = sequence.request().terms().priority();
    int other = victim.request().terms().priority();
    if (own != other) {
      return own > other;
    }
    // One that waits for a lower tier has nothing to give yet but its reservation.
    if (sequence.isWaiting() != victim.isWaiting()) {
      return victim.isWaiting();
    }
    return excess != victimExcess ? excess > victimExcess : sequence.arrival() > victim.arrival();
  }

  /// A sequence of another tenant that holds more than its share, for a request whose tenant would
  /// stay within its own with `blocks` more; null where there is none. A more important request is
  /// not interrupted.
  @Nullable Sequence aboveShareFor(Waiting next, long blocks) {
    Tenant tenant = queue.tenant(next.request.terms().tenant());
    if (queue.activeTenants() < 2 || held(tenant) + blocks > share(tenant)) {
      return null;
    }
    Sequence victim = null;
    double most = 0;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      if (sequence.request().terms().priority() < next.request.terms().priority()) {
        continue;
      }
      // Without it the tenant must not fall below its share, or the two would take turns.
      double excess = excess(sequence.tenant()) - sequence.table().blockCount();
      boolean later = victim != null && sequence.arrival() > victim.arrival();
      if (excess >= 0 && (victim == null || excess > most || excess == most && later)) {
        victim = sequence;
        most = excess;
      }
    }
    return victim;
  }

  private double excess(Tenant tenant) {
    return held(tenant) - share(tenant);
  }

  private double share(Tenant tenant) {
    return cache.config().blockCount() * tenant.weight / queue.activeWeight();
  }

  private long held(Tenant tenant) {
    long held = 0;
    for (int i = 0; i < running.size(); i++) {
      Sequence sequence = running.get(i);
      held += sequence.tenant().equals(tenant) ? sequence.table().blockCount() : 0;
    }
    return held;
  }
}
