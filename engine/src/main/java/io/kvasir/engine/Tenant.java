package io.kvasir.engine;

import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/// A tenant's requests that wait, and what it has got so far. Owned by the engine's thread.
final class Tenant {
  final String name;
  final double weight;
  private final PriorityQueue<Waiting> queue = new PriorityQueue<>(Waiting::compare);
  private double service;
  private int running;

  Tenant(String name, double weight) {
    this.name = name;
    this.weight = weight;
  }

  /// Tokens computed for the tenant per unit of weight.
  double service() {
    return service;
  }

  void charge(int tokens) {
    service += tokens / weight;
  }

  /// Time in which the tenant wanted nothing gives it no credit.
  void raiseTo(double least) {
    service = Math.max(service, least);
  }

  void started() {
    running++;
  }

  void stopped() {
    running--;
  }

  int running() {
    return running;
  }

  boolean isActive() {
    return running > 0 || !queue.isEmpty();
  }

  void add(Waiting waiting) {
    queue.add(waiting);
  }

  void remove(Waiting waiting) {
    queue.remove(waiting);
  }

  @Nullable Waiting first() {
    return queue.peek();
  }
}
