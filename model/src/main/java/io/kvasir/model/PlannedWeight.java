package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.compute.quant.WeightEncoder;
import io.kvasir.model.file.TensorContent;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/// One tensor of a GGUF file to come: its name there, its shape, and the pieces that make it up,
/// row after row.
///
/// Pieces are made when they are written and forgotten after, so a model larger than memory can be
/// converted; a stack of experts is one piece each.
///
/// @param stored the number format of the pieces
/// @param shape outermost dimension first
@SuppressWarnings("ArrayRecordComponent") // never compared, never changed
record PlannedWeight(String name, TensorType stored, long[] shape, List<Piece> pieces) {

  /// Rows of a tensor.
  @FunctionalInterface
  interface Piece {
    /// @param arena memory for what has to be copied; it lives until the rows are written
    Tensor make(Arena arena);
  }

  private static final int BUFFER_ELEMENTS = 1 << 18;

  static PlannedWeight of(String name, Tensor tensor) {
    return new PlannedWeight(name, tensor.type(), tensor.shape(), List.of(arena -> tensor));
  }

  /// The number format that this weight gets in a file of type `wanted`: norms, biases, routers and
  /// other small or delicate ones stay f32, and rows that are no whole number of blocks become f16.
  TensorType typeIn(TensorType wanted) {
    if (shape.length < 2 || !name.endsWith(".weight") || isDelicate()) {
      return TensorType.F32;
    }
    long columns = shape[shape.length - 1];
    return columns % wanted.blockElements() == 0 ? wanted : TensorType.F16;
  }

  private boolean isDelicate() {
    return name.contains("norm")
        || name.contains("ffn_gate_inp")
        || name.startsWith("position_embd")
        || name.startsWith("rope_");
  }

  /// The bytes of this weight in `type`.
  TensorContent content(TensorType type) {
    return channel -> {
      for (Piece piece : pieces) {
        try (Arena arena = Arena.ofConfined()) {
          write(piece.make(arena), type, channel);
        }
      }
    };
  }

  private static void write(Tensor tensor, TensorType type, WritableByteChannel channel)
      throws IOException {
    if (tensor.type() == type) {
      TensorContent.of(tensor.data()).writeTo(channel);
      return;
    }
    int columns = Math.toIntExact(tensor.columns());
    int batch = (int) Math.clamp(BUFFER_ELEMENTS / Math.max(1, columns), 1, tensor.rows());
    float[] values = new float[batch * columns];
    WeightEncoder encoder = type.encoder();
    byte[] encoded = new byte[Math.toIntExact(type.bytes(values.length))];
    MemorySegment target = MemorySegment.ofArray(encoded);
    for (long row = 0; row < tensor.rows(); row += batch) {
      int rows = (int) Math.min(batch, tensor.rows() - row);
      for (int i = 0; i < rows; i++) {
        tensor.decodeRow(row + i, values, i * columns);
      }
      encoder.encode(values, 0, rows * columns, target, 0);
      TensorContent.of(target.asSlice(0, type.bytes((long) rows * columns))).writeTo(channel);
    }
  }
}
