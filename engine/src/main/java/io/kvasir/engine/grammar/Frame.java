package io.kvasir.engine.grammar;

import org.jspecify.annotations.Nullable;

/// Where a rule goes on when the rule it called has ended: one entry of a stack that shares its
/// lower part with others. Immutable; equal stacks are equal.
final class Frame {
  /// Stands for an unknown stack, below which a walk cannot look.
  static final Frame UNKNOWN = new Frame(-1, 0, null);

  final int state;
  final long count;
  final @Nullable Frame below;
  private final int hash;

  Frame(int state, long count, @Nullable Frame below) {
    this.state = state;
    this.count = count;
    this.below = below;
    this.hash = 31 * (31 * state + Long.hashCode(count)) + (below == null ? 0 : below.hash);
  }

  /// Whether this stands for a stack that is not known.
  boolean isUnknown() {
    return state < 0;
  }

  @Override
  public boolean equals(@Nullable Object o) {
    if (!(o instanceof Frame other)) {
      return false;
    }
    Frame a = this;
    Frame b = other;
    while (a != b) {
      if (a == null || b == null || a.hash != b.hash || a.state != b.state || a.count != b.count) {
        return false;
      }
      a = a.below;
      b = b.below;
    }
    return true;
  }

  @Override
  public int hashCode() {
    return hash;
  }
}
