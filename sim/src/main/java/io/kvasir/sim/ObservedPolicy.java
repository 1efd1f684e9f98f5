package io.kvasir.sim;

import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.eviction.PrefixView;
import java.util.function.IntConsumer;

/// Passes all calls on to a policy, takes the time of some and tells which blocks are forgotten.
///
/// Reading the clock takes about as long as a call, so one call in [#STRIDE] is timed, and each
/// time the clock is read once more for nothing, which says what reading it costs just now. A
/// sample above [#LONGEST_NANOS] counts as that: it is the machine that paused.
final class ObservedPolicy implements EvictionPolicy {
  /// Prime, so that it does not fall into step with the calls of a request.
  private static final int STRIDE = 13;

  private static final long LONGEST_NANOS = 100_000;

  private final EvictionPolicy policy;
  private final PrefixView tree;
  private final IntConsumer onForgotten;
  private long calls;
  private long timed;
  private long timedNanos;
  private long clockNanos;
  private long removed;

  /// @param onForgotten gets the first token of each block that leaves the tree
  ObservedPolicy(EvictionPolicy policy, PrefixView tree, IntConsumer onForgotten) {
    this.policy = policy;
    this.tree = tree;
    this.onForgotten = onForgotten;
  }

  /// Mean time of a call in nanoseconds.
  double nanosPerCall() {
    return timed == 0 ? 0 : Math.max(0, (double) timedNanos / timed);
  }

  /// Blocks that left the tree.
  long removed() {
    return removed;
  }

  @Override
  public void onInsert(int node) {
    long start = start();
    policy.onInsert(node);
    stop(start);
  }

  @Override
  public void onHit(int node) {
    long start = start();
    policy.onHit(node);
    stop(start);
  }

  @Override
  public void onAcquire(int node) {
    long start = start();
    policy.onAcquire(node);
    stop(start);
  }

  @Override
  public void onRelease(int node) {
    long start = start();
    policy.onRelease(node);
    stop(start);
  }

  @Override
  public void onRemove(int node) {
    removed++;
    onForgotten.accept(tree.token(node, 0));
    long start = start();
    policy.onRemove(node);
    stop(start);
  }

  @Override
  public int victim() {
    long start = start();
    int victim = policy.victim();
    stop(start);
    return victim;
  }

  private long start() {
    if (++calls % STRIDE != 0) {
      return 0;
    }
    long before = System.nanoTime();
    long start = System.nanoTime();
    clockNanos = start - before;
    return start;
  }

  private void stop(long start) {
    if (start != 0) {
      long nanos = System.nanoTime() - start - clockNanos;
      timedNanos += Math.clamp(nanos, -LONGEST_NANOS, LONGEST_NANOS);
      timed++;
    }
  }
}
