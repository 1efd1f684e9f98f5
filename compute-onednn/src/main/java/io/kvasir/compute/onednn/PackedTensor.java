package io.kvasir.compute.onednn;

import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.onednn.OneDnnMatrices.Format;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A matrix that is copied into the library's form when it is first used, in panels of outputs so
/// that the decoded weights on the way take little memory.
final class PackedTensor implements MatrixProvider.Packed {
  private static final long PANEL_BYTES = 32L << 20;
  private static final int PANEL_STEP = 64;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;

  private final OneDnnMatrices owner;
  private final Tensor tensor;
  private final int outputs;
  private final int inputs;
  private final int panelOutputs;
  private final long[] panels;
  private boolean isPacked;

  PackedTensor(OneDnnMatrices owner, Tensor tensor) {
    this.owner = owner;
    this.tensor = tensor;
    outputs = Math.toIntExact(tensor.rows());
    inputs = Math.toIntExact(tensor.columns());
    long fitting = PANEL_BYTES / ((long) inputs * owner.format().bytes);
    panelOutputs = Math.clamp(fitting / PANEL_STEP * PANEL_STEP, PANEL_STEP, outputs);
    panels = new long[(outputs + panelOutputs - 1) / panelOutputs];
  }

  @Override
  public void multiply(MatrixProvider.Rows x, MatrixProvider.Rows out, int rows) {
    if (!isPacked) {
      pack();
      isPacked = true;
    }
    int most = MatmulShape.SIZES[MatmulShape.sizeOf(Integer.MAX_VALUE, owner.sizes())];
    for (int from = 0; from < rows; from += most) {
      multiply(x, out, from, Math.min(most, rows - from));
    }
  }

  private void multiply(MatrixProvider.Rows x, MatrixProvider.Rows out, int from, int count) {
    int size = MatmulShape.sizeOf(count, owner.sizes());
    int padded = MatmulShape.SIZES[size];
    long rowBytes = (long) inputs * owner.format().bytes;
    owner.source(padded * rowBytes);
    MemorySegment destination =
        owner.destination((long) padded * Math.min(outputs, panelOutputs) * Float.BYTES);
    MemorySegment source = owner.source(padded * rowBytes);
    for (int r = 0; r < count; r++) {
      write(x.values(), x.at() + (from + r) * x.stride(), source, r * rowBytes);
    }
    source.asSlice(count * rowBytes, (padded - count) * rowBytes).fill((byte) 0);
    for (int p = 0; p < panels.length; p++) {
      int first = p * panelOutputs;
      int width = Math.min(panelOutputs, outputs - first);
      owner.dnn(); // this thread's team has its size
      owner.shape(width, inputs).multiply(size, source, panels[p], destination);
      for (int r = 0; r < count; r++) {
        int at = out.at() + (from + r) * out.stride() + first;
        long rowAt = (long) r * width * Float.BYTES;
        MemorySegment.copy(destination, FLOAT, rowAt, out.values(), at, width);
      }
    }
  }

  private void pack() {
    float[] row = new float[inputs];
    long rowBytes = (long) inputs * owner.format().bytes;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment plain = arena.allocate(panelOutputs * rowBytes, 64);
      for (int p = 0; p < panels.length; p++) {
        int first = p * panelOutputs;
        int width = Math.min(panelOutputs, outputs - first);
        for (int o = 0; o < width; o++) {
          tensor.decodeRow(first + o, row, 0);
          write(row, 0, plain, o * rowBytes);
        }
        MatmulShape shape = owner.shape(width, inputs);
        panels[p] = shape.pack(plain, owner.allocate(shape.packedBytes()));
      }
    }
  }

  /// Writes `inputs` numbers in the provider's format.
  private void write(float[] values, int at, MemorySegment target, long to) {
    if (owner.format() == Format.F32) {
      MemorySegment.copy(values, at, target, FLOAT, to, inputs);
      return;
    }
    for (int i = 0; i < inputs; i++) {
      target.set(SHORT, to + 2L * i, bf16(values[at + i]));
    }
  }

  /// Rounds to the nearest, ties to even; NaN stays NaN.
  static short bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int rounded = bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    return (short) (Float.isNaN(value) ? bits >>> 16 | 0x40 : rounded);
  }
}
