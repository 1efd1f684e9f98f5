package io.kvasir.compute.cpu;

import io.kvasir.compute.Buffer;
import io.kvasir.compute.ExpertSelection;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.MixtureOfExperts;
import org.jspecify.annotations.Nullable;

/// What one mixture of experts needs beside its operands; made once per layer and kept.
final class MoeScratch {
  private static final float[] NONE = {};

  final ExpertSelection selection;
  final HostBuffer row;
  final HostBuffer scaled;
  final HostBuffer part;
  final HostBuffer gate = HostBuffer.allocate(1, 1);
  private HostBuffer logits;

  MoeScratch(MixtureOfExperts moe, int inputs, int outputs) {
    int experts = moe.experts().size();
    selection =
        new ExpertSelection(
            moe.routing(),
            vector(moe.routing().selectionBias()),
            vector(moe.routing().expertScale()),
            experts);
    row = HostBuffer.allocate(1, inputs);
    scaled = HostBuffer.allocate(1, moe.routing().weighsInput() ? inputs : 1);
    part = HostBuffer.allocate(1, outputs);
    logits = HostBuffer.allocate(1, experts);
  }

  private static float[] vector(@Nullable Buffer buffer) {
    return buffer == null ? NONE : ((HostBuffer) buffer).values();
  }

  /// Room for the router's logits `[rows, experts]`.
  HostBuffer logits(int rows) {
    if (logits.rows() < rows) {
      logits = HostBuffer.allocate(rows, logits.columns());
    }
    return logits;
  }
}
