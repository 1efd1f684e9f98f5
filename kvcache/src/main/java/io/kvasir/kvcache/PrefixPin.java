package io.kvasir.kvcache;

/// Keeps a prefix in the cache while no sequence uses it: until its time is over, until
/// [KvCache#unpin], or until live sequences need its room.
///
/// Under pressure pins are broken in the order of their priority, lowest first, and among equal
/// ones the one that would end first; a pin of [#UNBREAKABLE] priority is never broken (retention
/// priorities with a duration are TensorRT-LLM's idea). Made by [KvCache#pin] and owned by the
/// cache's thread.
public final class PrefixPin {
  /// The priority of a pin that pressure does not break.
  public static final int UNBREAKABLE = 100;

  private final int node;
  private final int[] windowBlocks;
  private final int tokens;
  private final int priority;
  private final long expiresNanos;
  private boolean active = true;

  PrefixPin(int node, int[] windowBlocks, int tokens, int priority, long expiresNanos) {
    this.node = node;
    this.windowBlocks = windowBlocks;
    this.tokens = tokens;
    this.priority = priority;
    this.expiresNanos = expiresNanos;
  }

  /// Tokens that are kept: the full blocks of the pinned sequence.
  public int tokens() {
    return tokens;
  }

  public int priority() {
    return priority;
  }

  /// Whether the prefix is still kept by this pin.
  public boolean isActive() {
    return active;
  }

  /// When the pin ends by itself, on the cache's clock.
  long expiresNanos() {
    return expiresNanos;
  }

  int node() {
    return node;
  }

  int[] windowBlocks() {
    return windowBlocks;
  }

  void end() {
    active = false;
  }

  /// Whether this pin is broken before `other`.
  boolean isWeakerThan(PrefixPin other) {
    return priority != other.priority
        ? priority < other.priority
        : expiresNanos - other.expiresNanos < 0;
  }
}
