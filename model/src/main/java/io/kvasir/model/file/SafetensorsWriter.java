package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Writes a safetensors file: gather tensors, then [#write]. The file appears under its name only
/// when it is complete.
///
/// Not safe for use by several threads.
public final class SafetensorsWriter {
  private final Map<String, TensorContent> contents = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Json> header = new LinkedHashMap<>();
  private long dataBytes;

  /// A writer without tensors.
  public SafetensorsWriter() {}

  /// Adds free text to the header.
  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /// Adds an f32 tensor; `values` is read by [#write].
  public SafetensorsWriter add(String name, float[] values, long... shape) {
    long bytes = Tensor.byteSize(name, TensorType.F32, shape);
    if (bytes != 4L * values.length) {
      throw new IllegalArgumentException(
          "tensor '%s' of shape %s cannot hold %d values"
              .formatted(name, List.of(box(shape)), values.length));
    }
    return add(name, TensorType.F32, shape, bytes, TensorContent.of(values));
  }

  /// Adds integers as an I64 tensor of one dimension.
  public SafetensorsWriter addIds(String name, int[] ids) {
    ByteBuffer buffer = ByteBuffer.allocate(Math.multiplyExact(8, ids.length));
    buffer.order(ByteOrder.LITTLE_ENDIAN);
    for (int id : ids) {
      buffer.putLong(id);
    }
    return add(
        new Tensor(
            name, TensorType.I64, new long[] {ids.length}, MemorySegment.ofBuffer(buffer.flip())));
  }

  /// Adds a tensor of any type that safetensors knows, byte for byte.
  public SafetensorsWriter add(Tensor tensor) {
    return add(
        tensor.name(),
        tensor.type(),
        tensor.shape(),
        tensor.data().byteSize(),
        TensorContent.of(tensor.data()));
  }

  private SafetensorsWriter add(
      String name, TensorType type, long[] shape, long bytes, TensorContent content) {
    if (type.isQuantized()) {
      throw new IllegalArgumentException("safetensors cannot hold " + type + " ('" + name + "')");
    }
    if (name.equals("__metadata__") || contents.putIfAbsent(name, content) != null) {
      throw new IllegalArgumentException("tensor name '" + name + "' is taken");
    }
    Map<String, Json> entry = new LinkedHashMap<>();
    entry.put("dtype", new Json.Str(type.name()));
    entry.put("shape", new Json.Arr(numbers(box(shape))));
    entry.put("data_offsets", new Json.Arr(numbers(dataBytes, dataBytes + bytes)));
    header.put(name, new Json.Obj(entry));
    dataBytes += bytes;
    return this;
  }

  /// Writes all tensors in the order in which they were added.
  ///
  /// @throws IOException where the disk is full or the folder cannot be written
  public void write(Path file) throws IOException {
    Map<String, Json> all = new LinkedHashMap<>();
    if (!metadata.isEmpty()) {
      Map<String, Json> texts = new LinkedHashMap<>();
      metadata.forEach((key, value) -> texts.put(key, new Json.Str(value)));
      all.put("__metadata__", new Json.Obj(texts));
    }
    all.putAll(header);
    byte[] json = new Json.Obj(all).toText().getBytes(StandardCharsets.UTF_8);
    // Spaces after the header keep the data aligned to 8 bytes.
    int padded = Math.ceilDiv(json.length, 8) * 8;
    ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(json);
    while (start.hasRemaining()) {
      start.put((byte) ' ');
    }
    start.flip();
    CompleteFile.write(
        file,
        channel -> {
          writeAll(channel, start);
          for (TensorContent content : contents.values()) {
            content.writeTo(channel);
          }
        });
  }

  private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  private static List<Json> numbers(Long... values) {
    List<Json> numbers = new ArrayList<>();
    for (Long value : values) {
      numbers.add(new Json.Int(value));
    }
    return numbers;
  }

  private static Long[] box(long[] values) {
    Long[] boxed = new Long[values.length];
    for (int i = 0; i < values.length; i++) {
      boxed[i] = values[i];
    }
    return boxed;
  }
}
