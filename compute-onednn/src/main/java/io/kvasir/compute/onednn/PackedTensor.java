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

  /// Where many pieces of rows use a panel, one behind the other, it should stay in the L2 cache.
  private static final long SMALL_PANEL_BYTES = 2L << 20;

  /// Most rows that are brought into the library's format at once.
  private static final int STAGED_ROWS = 512;

  /// Pieces from so many rows on use a panel once or twice.
  private static final int MANY_ROWS = 256;

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
    long fitting =
        (most() < MANY_ROWS ? SMALL_PANEL_BYTES : PANEL_BYTES)
            / ((long) inputs * owner.format().bytes);
    panelOutputs = Math.clamp(fitting / PANEL_STEP * PANEL_STEP, PANEL_STEP, outputs);
    panels = new long[(outputs + panelOutputs - 1) / panelOutputs];
  }

  @Override
  public void multiply(MatrixProvider.Rows x, MatrixProvider.Rows out, int rows) {
    if (!isPacked) {
      pack();
      isPacked = true;
    }
    for (int from = 0; from < rows; from += STAGED_ROWS) {
      multiply(x, out, from, Math.min(STAGED_ROWS, rows - from));
    }
  }

  /// Rows of the largest piece.
  private int most() {
    return MatmulShape.SIZES[MatmulShape.sizeOf(Integer.MAX_VALUE, owner.sizes())];
  }

  /// Rows `from .. from + count - 1`: of each panel all pieces of rows, so that weights are read
  /// once.
  private void multiply(MatrixProvider.Rows x, MatrixProvider.Rows out, int from, int count) {
    int most = most();
    int last = count % most == 0 ? most : sizeOf(count % most);
    int staged = (count - 1) / most * most + last;
    long rowBytes = (long) inputs * owner.format().bytes;
    owner.source(staged * rowBytes);
    MemorySegment destination =
        owner.destination((long) most * Math.min(outputs, panelOutputs) * Float.BYTES);
    MemorySegment source = owner.source(staged * rowBytes);
    for (int r = 0; r < count; r++) {
      write(x.values(), x.at() + (from + r) * x.stride(), source, r * rowBytes);
    }
    source.asSlice(count * rowBytes, (staged - count) * rowBytes).fill((byte) 0);
    for (int p = 0; p < panels.length; p++) {
      int first = p * panelOutputs;
      int width = Math.min(panelOutputs, outputs - first);
      MatmulShape shape = owner.shape(width, inputs);
      owner.dnn(); // this thread's team has its size
      for (int piece = 0; piece < count; piece += most) {
        int rows = Math.min(most, count - piece);
        int size = MatmulShape.sizeOf(rows, owner.sizes());
        MemorySegment own = source.asSlice(piece * rowBytes);
        shape.multiply(size, own, panels[p], destination);
        for (int r = 0; r < rows; r++) {
          int at = out.at() + (from + piece + r) * out.stride() + first;
          long rowAt = (long) r * width * Float.BYTES;
          MemorySegment.copy(destination, FLOAT, rowAt, out.values(), at, width);
        }
      }
    }
  }

  /// Rows that `rows` are padded to, where they are no more than the largest piece has.
  private int sizeOf(int rows) {
    return MatmulShape.SIZES[MatmulShape.sizeOf(rows, owner.sizes())];
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
