package io.kvasir.compute.cpu;

import io.kvasir.compute.Buffer;
import io.kvasir.compute.ExpertSelection;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.MixtureOfExperts;
import org.jspecify.annotations.Nullable;

/// What one mixture of experts keeps: the choices of the threads, and the router's logits.
final class MoeScratch {
  private static final float[] NONE = {};

  private final ExpertSelection[] selections;
  private HostBuffer logits;
  private HostBuffer gates;
  private final int mostInner;
  private final boolean copiesRows;

  MoeScratch(MixtureOfExperts moe, int threads) {
    int experts = moe.experts().size();
    selections = new ExpertSelection[threads];
    for (int i = 0; i < threads; i++) {
      selections[i] =
          new ExpertSelection(
              moe.routing(),
              vector(moe.routing().selectionBias()),
              vector(moe.routing().expertScale()),
              experts);
    }
    int inner = moe.shared() == null ? 0 : moe.shared().innerSize();
    boolean copies =
        moe.routing().weighsInput() || moe.shared() != null && CpuExperts.isProvided(moe.shared());
    for (FeedForward expert : moe.experts()) {
      inner = Math.max(inner, expert.innerSize());
      copies |= CpuExperts.isProvided(expert);
    }
    mostInner = inner;
    copiesRows = copies;
    logits = HostBuffer.allocate(1, experts);
    gates = HostBuffer.allocate(1, 1);
  }

  private static float[] vector(@Nullable Buffer buffer) {
    return buffer == null ? NONE : ((HostBuffer) buffer).values();
  }

  /// What each thread chooses experts with.
  ExpertSelection[] selections() {
    return selections;
  }

  /// The size of the largest inner row.
  int mostInner() {
    return mostInner;
  }

  /// Whether an expert may need its rows copied: scaled ones, or for a provider.
  boolean copiesRows() {
    return copiesRows;
  }

  /// Room for the router's logits `[rows, experts]`.
  HostBuffer logits(int rows) {
    if (logits.rows() < rows) {
      logits = HostBuffer.allocate(rows, logits.columns());
    }
    return logits;
  }

  /// Room for what the shared network's gate says `[rows, 1]`.
  HostBuffer gates(int rows) {
    if (gates.rows() < rows) {
      gates = HostBuffer.allocate(rows, 1);
    }
    return gates;
  }
}
