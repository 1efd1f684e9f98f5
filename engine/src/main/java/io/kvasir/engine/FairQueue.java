package io.kvasir.engine;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/// The requests that wait, in the order in which they should start: lower priority numbers first;
/// among equals the tenant for which the fewest tokens per weight have been computed; of one tenant
/// the earliest.
///
/// The counters are the virtual token counters of Sheng et al., *Fairness in Serving Large Language
/// Models* (OSDI 2024): a tenant that comes back starts at the least counter of those that are
/// active, so that it has neither saved up credit nor a debt. Tokens that came from the cache cost
/// nothing.
///
/// Owned by the engine's thread.
final class FairQueue {
  private static final int MOST_IDLE_TENANTS = 1_024;

  private final Map<String, Double> weights;
  private final Map<String, Tenant> byName = new HashMap<>();
  private final List<Tenant> tenants = new ArrayList<>();
  private final List<Waiting> blocked = new ArrayList<>();
  private final PriorityQueue<Waiting> expiring =
      new PriorityQueue<>((a, b) -> Long.compare(a.expiresNanos - b.expiresNanos, 0));
  private int size;

  /// @param weights of tenants by name; 1 for others
  FairQueue(Map<String, Double> weights) {
    this.weights = weights;
  }

  /// Requests that wait.
  int size() {
    return size;
  }

  /// Tenants that have requests, running or waiting.
  int activeTenants() {
    int active = 0;
    for (int i = 0; i < tenants.size(); i++) {
      active += tenants.get(i).isActive() ? 1 : 0;
    }
    return active;
  }

  /// Sum of the weights of tenants that have requests.
  double activeWeight() {
    double sum = 0;
    for (int i = 0; i < tenants.size(); i++) {
      sum += tenants.get(i).isActive() ? tenants.get(i).weight : 0;
    }
    return sum;
  }

  Tenant tenant(String name) {
    Tenant known = byName.get(name);
    if (known != null) {
      return known;
    }
    forgetIdle();
    Tenant tenant = new Tenant(name, weights.getOrDefault(name, 1.0));
    byName.put(name, tenant);
    tenants.add(tenant);
    return tenant;
  }

  private void forgetIdle() {
    if (tenants.size() >= MOST_IDLE_TENANTS) {
      tenants.removeIf(tenant -> !tenant.isActive());
      byName.values().removeIf(tenant -> !tenant.isActive());
    }
  }

  void add(Waiting waiting) {
    Tenant tenant = tenant(waiting.request.terms().tenant());
    if (!tenant.isActive()) {
      tenant.raiseTo(leastService());
    }
    tenant.add(waiting);
    if (waiting.expiresNanos != Long.MAX_VALUE) {
      expiring.add(waiting);
    }
    size++;
  }

  private double leastService() {
    double least = Double.MAX_VALUE;
    // Where nobody is active, time has stood still at the counter that came furthest.
    double most = 0;
    for (int i = 0; i < tenants.size(); i++) {
      Tenant tenant = tenants.get(i);
      least = tenant.isActive() ? Math.min(least, tenant.service()) : least;
      most = Math.max(most, tenant.service());
    }
    return least == Double.MAX_VALUE ? most : least;
  }

  /// The request that should start next, or null. Those whose session is in use are passed over.
  @Nullable Waiting first() {
    unblock();
    while (true) {
      Waiting best = null;
      double bestService = 0;
      for (int i = 0; i < tenants.size(); i++) {
        Tenant tenant = tenants.get(i);
        Waiting first = tenant.first();
        if (first != null && (best == null || isBefore(first, tenant, best, bestService))) {
          best = first;
          bestService = tenant.service();
        }
      }
      Session session = best == null ? null : best.request.session();
      if (best == null || session == null || best.preempted != null || !session.isBusy()) {
        return best;
      }
      tenant(best.request.terms().tenant()).remove(best);
      blocked.add(best);
    }
  }

  private static boolean isBefore(Waiting first, Tenant tenant, Waiting best, double bestService) {
    int own = first.request.terms().priority();
    int other = best.request.terms().priority();
    if (own != other) {
      return own < other;
    }
    return tenant.service() != bestService
        ? tenant.service() < bestService
        : first.arrival < best.arrival;
  }

  private void unblock() {
    for (int i = blocked.size() - 1; i >= 0; i--) {
      Waiting waiting = blocked.get(i);
      Session session = waiting.request.session();
      if (session == null || !session.isBusy()) {
        blocked.remove(i);
        tenant(waiting.request.terms().tenant()).add(waiting);
      }
    }
  }

  /// Takes a request out, to start it or to end it.
  void remove(Waiting waiting) {
    if (!blocked.remove(waiting)) {
      tenant(waiting.request.terms().tenant()).remove(waiting);
    }
    waiting.gone = true;
    if (waiting.expiresNanos != Long.MAX_VALUE) {
      expiring.remove(waiting);
    }
    size--;
  }

  /// A request that has waited too long, or null. It stays in the queue.
  @Nullable Waiting expired(long nowNanos) {
    Waiting first = expiring.peek();
    return first == null || first.expiresNanos - nowNanos > 0 ? null : first;
  }

  /// Any request, or null: for emptying the queue.
  @Nullable Waiting any() {
    if (!blocked.isEmpty()) {
      return blocked.getFirst();
    }
    for (Tenant tenant : tenants) {
      if (tenant.first() != null) {
        return tenant.first();
      }
    }
    return null;
  }
}
