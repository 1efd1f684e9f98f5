package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.PanelCall;
import io.kvasir.compute.x86.RowCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Scratch memory of one thread of the pool; arrays grow to the largest need and stay.
final class Workspace {
  /// Elements that elementwise functions work on at a time, small enough to stay in the L1 cache.
  static final int STRIPE = 512;

  private static final long CACHE_LINE = 64;

  final DotTile tile = new DotTile();
  final PanelTile panelTile = new PanelTile();

  /// Decoded weights as [PanelTile] reads them.
  final PackedRows panel = new PackedRows();

  final Panels.Outputs outputs = new Panels.Outputs();

  final float[] lanes = new float[RowKernel.SCRATCH];
  final float[] stripe = new float[STRIPE];
  private @Nullable RowCall call;
  private @Nullable PanelCall panelCall;
  private float[] weights = {};
  private MemorySegment decoded = MemorySegment.NULL;

  /// The argument of machine code.
  RowCall call() {
    if (call == null) {
      call = new RowCall();
    }
    return call;
  }

  /// The argument of machine code for decoded weights.
  PanelCall panelCall() {
    if (panelCall == null) {
      panelCall = new PanelCall();
    }
    return panelCall;
  }

  /// `memory` where it has `bytes` bytes, else more, on a cache line, without its contents. A need
  /// that changes a little from step to step does not ask for memory in each.
  static MemorySegment grown(MemorySegment memory, long bytes) {
    return memory.byteSize() >= bytes
        ? memory
        : Arena.ofAuto().allocate(Math.max(bytes, 2 * memory.byteSize()), CACHE_LINE);
  }

  /// At least `bytes` bytes for weights that machine code decodes.
  MemorySegment decoded(long bytes) {
    if (decoded.byteSize() < bytes) {
      decoded = Arena.ofAuto().allocate(bytes, CACHE_LINE);
    }
    return decoded;
  }

  /// At least `size` floats for decoded weights.
  float[] weights(int size) {
    if (weights.length < size) {
      weights = new float[size];
    }
    return weights;
  }
}
