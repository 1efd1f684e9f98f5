package io.kvasir.model.file;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Parses the header of one GGUF file (the "GGUF" document of the ggml project, versions 2 and 3,
/// little-endian):
///
/// ```
/// "GGUF"  version u32  tensors u64  entries u64
/// entries x { key string, type u32, value }
/// tensors x { name string, dimensions u32, dimensions x size u64, type u32, offset u64 }
/// padding to general.alignment (32)
/// tensor data; offsets count from here
/// ```
///
/// A string is a u64 length and UTF-8 bytes. Sizes are listed innermost first and reversed here.
final class GgufReader {
  private static final int MAGIC = 0x46554747;
  private static final int MAX_DIMENSIONS = 4;
  private static final int MAX_ALIGNMENT = 1 << 20;

  /// One parsed file: `data` is the part that tensor offsets count from.
  record Part(GgufMetadata metadata, List<TensorLayout.Entry> entries, MemorySegment data) {}

  private final MemorySegment bytes;
  private final String file;
  private final GgufCursor cursor;

  GgufReader(MemorySegment bytes, String file) {
    this.bytes = bytes;
    this.file = file;
    this.cursor = new GgufCursor(bytes, file);
  }

  Part read() {
    checkVersion();
    // An entry takes at least a key length, a type and one byte; a tensor at least 24 bytes.
    cursor.enter("tensors", "");
    long tensorCount = cursor.readCount(24, "");
    cursor.enter("metadata entries", "");
    long entryCount = cursor.readCount(13, "");
    GgufMetadata metadata = readMetadata(entryCount);
    long alignment = alignment(metadata);
    List<TensorLayout.Entry> entries = new ArrayList<>();
    for (long i = 0; i < tensorCount; i++) {
      entries.add(readEntry(alignment));
    }
    long header = cursor.position();
    long start = Math.min(bytes.byteSize(), (header + alignment - 1) / alignment * alignment);
    return new Part(metadata, entries, bytes.asSlice(start));
  }

  private void checkVersion() {
    int magic = cursor.readI32();
    if (magic != MAGIC) {
      throw new ModelFormatException(
          "%s is no GGUF file: it starts with 0x%08x".formatted(file, Integer.reverseBytes(magic)));
    }
    int version = cursor.readI32();
    if ((version & 0xFFFF) == 0 && version != 0) {
      throw new ModelFormatException(
          file
              + " is a big-endian GGUF file, which Kvasir does not read: convert it to"
              + " little-endian");
    }
    if (version < 2 || version > 3) {
      throw new ModelFormatException(
          "%s has GGUF version %s; Kvasir reads 2 and 3: convert the model again"
              .formatted(file, Integer.toUnsignedString(version)));
    }
  }

  private GgufMetadata readMetadata(long count) {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    for (long i = 0; i < count; i++) {
      cursor.enter("a metadata key", "");
      String key = cursor.readString();
      cursor.enter("metadata", key);
      GgufValue value = cursor.readValue();
      if (values.putIfAbsent(key, value) != null) {
        throw new ModelFormatException(
            "%s is damaged: metadata '%s' is there twice".formatted(file, Excerpt.of(key)));
      }
    }
    return new GgufMetadata(values, file);
  }

  private long alignment(GgufMetadata metadata) {
    long alignment = metadata.longOr("general.alignment", 32);
    if (alignment <= 0 || alignment > MAX_ALIGNMENT || Long.bitCount(alignment) != 1) {
      throw new ModelFormatException(
          "%s is damaged: its alignment is %d, not a power of two up to %d"
              .formatted(file, alignment, MAX_ALIGNMENT));
    }
    return alignment;
  }

  private TensorLayout.Entry readEntry(long alignment) {
    cursor.enter("a tensor name", "");
    String name = cursor.readString();
    cursor.enter("tensor", name);
    int dimensions = cursor.readI32();
    if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
      throw new ModelFormatException(
          "%s is damaged: tensor '%s' has %s dimensions"
              .formatted(file, Excerpt.of(name), Integer.toUnsignedString(dimensions)));
    }
    long[] shape = new long[dimensions];
    for (int i = dimensions - 1; i >= 0; i--) {
      shape[i] = cursor.readI64();
    }
    TensorType type = readTensorType(name);
    long offset = cursor.readI64();
    if (offset < 0 || offset % alignment != 0) {
      throw new ModelFormatException(
          "%s is damaged: tensor '%s' lies at byte %s, no multiple of %d"
              .formatted(file, Excerpt.of(name), Long.toUnsignedString(offset), alignment));
    }
    return TensorLayout.entry(name, type, shape, offset, file);
  }

  private TensorType readTensorType(String name) {
    int id = cursor.readI32();
    TensorType type = TensorType.findGgml(id);
    if (type == null) {
      throw new ModelFormatException(
          "%s: tensor '%s' has the number format %s, which Kvasir does not read: take another"
                  .formatted(file, Excerpt.of(name), Integer.toUnsignedString(id))
              + " quantization");
    }
    return type;
  }
}
