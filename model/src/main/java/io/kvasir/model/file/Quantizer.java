package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.compute.quant.WeightEncoder;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// Writes a model as GGUF with its matrices in one number format: `./kvasir quantize`.
///
/// Norms, biases and expert routers stay F32: they are small, and every token meets them. A matrix
/// whose rows are no whole number of blocks becomes Q8_0, or F16 where even that does not fit. What
/// has the wanted format already is copied bit by bit. Works row by row, so that a model larger
/// than memory can be converted. Not safe for use by several threads.
public final class Quantizer {
  /// The numbers by which GGUF files name their dominant format in `general.file_type`.
  private static final Map<TensorType, Integer> FILE_TYPES =
      Map.of(
          TensorType.F32, 0,
          TensorType.F16, 1,
          TensorType.Q4_0, 2,
          TensorType.Q4_1, 3,
          TensorType.Q8_0, 7,
          TensorType.Q5_0, 8,
          TensorType.Q5_1, 9,
          TensorType.BF16, 32,
          TensorType.TQ1_0, 36,
          TensorType.TQ2_0, 37);

  private static final int MXFP4_FILE_TYPE = 38;

  /// What became of a tensor.
  ///
  /// @param from the number format before
  /// @param to the number format after
  /// @param bytesBefore its size in the input
  /// @param bytesAfter its size in the output
  /// @param relativeError root mean square of the changes over that of the values, 0 to 1
  public record TensorReport(
      String name,
      TensorType from,
      TensorType to,
      long bytesBefore,
      long bytesAfter,
      double relativeError) {}

  /// What became of a model.
  ///
  /// @param fileBytes the size of the file that was written
  /// @param tensors in file order
  public record Report(long fileBytes, List<TensorReport> tensors) {

    /// The bytes of all tensors before.
    public long bytesBefore() {
      long sum = 0;
      for (TensorReport tensor : tensors) {
        sum += tensor.bytesBefore();
      }
      return sum;
    }

    /// The bytes of all tensors after.
    public long bytesAfter() {
      long sum = 0;
      for (TensorReport tensor : tensors) {
        sum += tensor.bytesAfter();
      }
      return sum;
    }
  }

  private final TensorType type;
  private final Consumer<TensorReport> progress;

  /// @param type the format of the matrices
  /// @param progress told of each tensor as it is done
  /// @throws IllegalArgumentException where Kvasir does not write `type` to GGUF
  public Quantizer(TensorType type, Consumer<TensorReport> progress) {
    if (type.ggmlId() < 0 || type.findEncoder() == null) {
      throw new IllegalArgumentException(
          "Kvasir does not write " + type + "; it writes " + writable());
    }
    this.type = type;
    this.progress = progress;
  }

  /// The formats that Kvasir writes.
  public static List<TensorType> writable() {
    List<TensorType> types = new ArrayList<>();
    for (TensorType type : TensorType.values()) {
      if (type.ggmlId() >= 0 && type.findEncoder() != null) {
        types.add(type);
      }
    }
    return Collections.unmodifiableList(types);
  }

  /// Writes the model of `plan` to `file`.
  ///
  /// @throws IOException where the disk is full or the folder cannot be written
  public Report write(GgufPlan plan, Path file) throws IOException {
    List<TensorReport> reports = new ArrayList<>();
    GgufWriter writer = new GgufWriter();
    plan.metadata().forEach(writer::put);
    writer.put("general.file_type", FILE_TYPES.getOrDefault(type, MXFP4_FILE_TYPE));
    writer.put("general.quantization_version", 2);
    for (GgufPlan.Part part : plan.tensors()) {
      TensorType target = targetType(part);
      writer.add(
          part.name(), target, part.shape(), channel -> reports.add(encode(part, target, channel)));
    }
    long bytes = writer.write(file);
    return new Report(bytes, Collections.unmodifiableList(reports));
  }

  /// The format in which `part` will be written.
  TensorType targetType(GgufPlan.Part part) {
    long[] shape = part.shape();
    if (shape.length < 2 || keepsPrecision(part.name())) {
      return TensorType.F32;
    }
    long columns = shape[shape.length - 1];
    if (columns % type.blockElements() == 0) {
      return type;
    }
    return columns % TensorType.Q8_0.blockElements() == 0 ? TensorType.Q8_0 : TensorType.F16;
  }

  private static boolean keepsPrecision(String name) {
    return name.contains("norm")
        || name.endsWith(".bias")
        || name.contains("ffn_gate_inp")
        || name.startsWith("position_embd")
        || name.contains("ssm_")
        || name.startsWith("rope_");
  }

  private TensorReport encode(GgufPlan.Part part, TensorType target, WritableByteChannel channel)
      throws IOException {
    Change change = new Change();
    for (GgufPlan.Piece piece : part.pieces()) {
      try (Arena arena = Arena.ofConfined()) {
        Tensor rows = piece.make(arena);
        if (rows.type() == target) {
          TensorContent.of(rows.data()).writeTo(channel);
        } else {
          encodeRows(rows, target, channel, change);
        }
      }
    }
    long bytes = Tensor.byteSize(part.name(), target, part.shape());
    TensorReport report =
        new TensorReport(
            part.name(), part.type(), target, part.storedBytes(), bytes, change.relative());
    progress.accept(report);
    return report;
  }

  /// How far encoded values are from the original ones.
  private static final class Change {
    private double squares;
    private double squaredErrors;

    void add(float value, float encoded) {
      double error = (double) encoded - value;
      squares += (double) value * value;
      squaredErrors += error * error;
    }

    double relative() {
      return squares == 0 ? 0 : Math.sqrt(squaredErrors / squares);
    }
  }

  private static void encodeRows(
      Tensor rows, TensorType target, WritableByteChannel channel, Change change)
      throws IOException {
    int columns = Math.toIntExact(rows.columns());
    int rowBytes = Math.toIntExact(target.bytes(columns));
    float[] values = new float[columns];
    float[] back = new float[columns];
    ByteBuffer buffer = ByteBuffer.allocate(rowBytes);
    MemorySegment encoded = MemorySegment.ofBuffer(buffer);
    WeightEncoder encoder = target.encoder();
    for (long row = 0; row < rows.rows(); row++) {
      rows.decodeRow(row, values, 0);
      encoder.encode(values, 0, columns, encoded, 0);
      target.codec().decode(encoded, 0, back, 0, columns);
      for (int i = 0; i < columns; i++) {
        change.add(values[i], back[i]);
      }
      buffer.clear();
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    }
  }
}
