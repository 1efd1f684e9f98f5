package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/// Writes a GGUF file of version 3: gather metadata and tensors, then [#write]. Tensor bytes are
/// made when their turn comes ([TensorContent]), so a model may be larger than memory; the file
/// appears under its name only when it is complete. [GgufReader] has the byte layout.
///
/// Not safe for use by several threads.
public final class GgufWriter {
  private static final int MAGIC = 0x46554747;
  private static final int VERSION = 3;
  private static final long DEFAULT_ALIGNMENT = 32;

  /// A tensor to come; `bytes` without padding.
  @SuppressWarnings("ArrayRecordComponent") // short-lived, never compared
  private record Entry(TensorType type, long[] shape, long bytes, TensorContent content) {}

  private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /// A writer without metadata and tensors.
  public GgufWriter() {}

  /// Sets a metadata value; the last one of a key counts.
  public GgufWriter put(String key, GgufValue value) {
    metadata.put(key, value);
    return this;
  }

  public GgufWriter put(String key, String value) {
    return put(key, GgufValue.of(value));
  }

  public GgufWriter put(String key, int value) {
    return put(key, GgufValue.of(value));
  }

  public GgufWriter put(String key, float value) {
    return put(key, GgufValue.of(value));
  }

  public GgufWriter put(String key, boolean value) {
    return put(key, GgufValue.of(value));
  }

  /// Adds a tensor as it is.
  public GgufWriter add(Tensor tensor) {
    return add(tensor.name(), tensor.type(), tensor.shape(), TensorContent.of(tensor.data()));
  }

  /// Adds a tensor whose bytes `content` makes when [#write] comes to it.
  ///
  /// @param shape outermost dimension first
  /// @throws IllegalArgumentException where the name is taken, GGUF has no such type, or the shape
  ///   does not fit it
  public GgufWriter add(String name, TensorType type, long[] shape, TensorContent content) {
    if (type.ggmlId() < 0) {
      throw new IllegalArgumentException("GGUF cannot hold " + type + " ('" + name + "')");
    }
    if (shape.length > 4) {
      throw new IllegalArgumentException(
          "GGUF cannot hold the " + shape.length + " dimensions of tensor '" + name + "'");
    }
    long bytes = Tensor.byteSize(name, type, shape);
    if (entries.putIfAbsent(name, new Entry(type, shape.clone(), bytes, content)) != null) {
      throw new IllegalArgumentException("tensor name '" + name + "' is taken");
    }
    return this;
  }

  /// Writes the file and answers its size in bytes.
  ///
  /// @throws IOException where the disk is full or the folder cannot be written
  public long write(Path file) throws IOException {
    long alignment = alignment();
    byte[] header = header(alignment);
    long[] size = new long[1];
    CompleteFile.write(
        file,
        channel -> {
          writeAll(channel, ByteBuffer.wrap(header));
          pad(channel, alignment);
          for (Map.Entry<String, Entry> entry : entries.entrySet()) {
            writeTensor(channel, entry.getKey(), entry.getValue());
            pad(channel, alignment);
          }
          size[0] = channel.position();
        });
    return size[0];
  }

  private static void writeTensor(FileChannel channel, String name, Entry entry)
      throws IOException {
    long start = channel.position();
    entry.content().writeTo(channel);
    long written = channel.position() - start;
    if (written != entry.bytes()) {
      throw new IllegalStateException(
          "tensor '%s' takes %d bytes but %d were written".formatted(name, entry.bytes(), written));
    }
  }

  private long alignment() {
    return metadata.get("general.alignment") instanceof GgufValue.Int(GgufType type, long value)
        ? value
        : DEFAULT_ALIGNMENT;
  }

  private byte[] header(long alignment) {
    Header out = new Header();
    out.putInt(MAGIC);
    out.putInt(VERSION);
    out.putLong(entries.size());
    out.putLong(metadata.size());
    metadata.forEach((key, value) -> {
      out.putString(key);
      out.putValue(value);
    });
    long offset = 0;
    for (Map.Entry<String, Entry> named : entries.entrySet()) {
      Entry entry = named.getValue();
      out.putString(named.getKey());
      out.putInt(entry.shape().length);
      for (int i = entry.shape().length - 1; i >= 0; i--) {
        out.putLong(entry.shape()[i]);
      }
      out.putInt(entry.type().ggmlId());
      out.putLong(offset);
      offset = Math.ceilDiv(offset + entry.bytes(), alignment) * alignment;
    }
    return out.bytes.toByteArray();
  }

  private static void pad(FileChannel channel, long alignment) throws IOException {
    long missing = -channel.position() & alignment - 1;
    writeAll(channel, ByteBuffer.allocate((int) missing));
  }

  private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /// Little-endian output of the header's parts.
  private static final class Header {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    void putShort(int value) {
      bytes.write(value);
      bytes.write(value >> 8);
    }

    void putInt(int value) {
      putShort(value);
      putShort(value >> 16);
    }

    void putLong(long value) {
      putInt((int) value);
      putInt((int) (value >> 32));
    }

    void putString(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      putLong(utf8.length);
      bytes.writeBytes(utf8);
    }

    void putValue(GgufValue value) {
      switch (value) {
        case GgufValue.Int(GgufType type, long whole) -> {
          putInt(type.id());
          putNumber(type, whole);
        }
        case GgufValue.Real(GgufType type, double real) -> {
          putInt(type.id());
          putNumber(
              type,
              type == GgufType.F64
                  ? Double.doubleToRawLongBits(real)
                  : Float.floatToRawIntBits((float) real));
        }
        case GgufValue.Bool(boolean flag) -> {
          putInt(GgufType.BOOL.id());
          bytes.write(flag ? 1 : 0);
        }
        case GgufValue.Text(String text) -> {
          putInt(GgufType.STRING.id());
          putString(text);
        }
        case GgufValue.Array(GgufType element, long count, MemorySegment encoded) -> {
          putInt(GgufType.ARRAY.id());
          putInt(element.id());
          putLong(count);
          bytes.writeBytes(encoded.toArray(ValueLayout.JAVA_BYTE));
        }
      }
    }

    private void putNumber(GgufType type, long bits) {
      switch (type.bytes()) {
        case 1 -> bytes.write((int) bits);
        case 2 -> putShort((int) bits);
        case 4 -> putInt((int) bits);
        default -> putLong(bits);
      }
    }
  }
}
