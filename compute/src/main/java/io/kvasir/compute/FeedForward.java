package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// A feed-forward network: `down(act(gate x) * up x)`, or `down(act(up x))` without a gate
/// (Shazeer, arXiv 2002.05202).
public record FeedForward(@Nullable Linear gate, Linear up, Linear down, Activation activation) {

  /// Elements of the inner row.
  public int innerSize() {
    return up.outputs();
  }
}
