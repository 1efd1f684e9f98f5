package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Parses one safetensors file (the format of the safetensors project):
///
/// ```
/// header length u64, little-endian
/// { "name": {"dtype": "F32", "shape": [out, in], "data_offsets": [start, end]}, ...,
///   "__metadata__": {"key": "text", ...} }
/// tensor data; offsets count from here
/// ```
///
/// The data need not be aligned to the size of its numbers.
final class SafetensorsReader {
  /// The bound that the format's own library sets.
  static final long MAX_HEADER_BYTES = 100_000_000;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment bytes;
  private final String file;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final List<TensorLayout.Entry> entries = new ArrayList<>();

  SafetensorsReader(MemorySegment bytes, String file) {
    this.bytes = bytes;
    this.file = file;
  }

  /// Adds the file's tensors to `index` and answers its free metadata.
  Map<String, String> readInto(TensorIndex index) {
    long headerBytes = headerBytes();
    HeaderJson header = new HeaderJson(bytes.asSlice(8, headerBytes), file);
    for (boolean more = header.beginObject(); more; more = header.nextInObject()) {
      String name = header.readKey();
      if (name.equals("__metadata__")) {
        readMetadata(header);
      } else {
        entries.add(readEntry(header, name));
      }
    }
    header.expectEnd();
    TensorLayout.place(entries, bytes.asSlice(8 + headerBytes), index, file);
    return metadata;
  }

  private long headerBytes() {
    if (bytes.byteSize() < 8) {
      throw new ModelFormatException(
          "%s is no safetensors file: it has only %d bytes".formatted(file, bytes.byteSize()));
    }
    long stated = bytes.get(LONG, 0);
    if (stated < 2 || stated > MAX_HEADER_BYTES) {
      throw new ModelFormatException(
          "%s is no safetensors file: it states a header of %s bytes"
              .formatted(file, Long.toUnsignedString(stated)));
    }
    if (stated > bytes.byteSize() - 8) {
      throw new ModelFormatException(
          "%s is cut off: its header has %d bytes but only %d follow: fetch it again"
              .formatted(file, stated, bytes.byteSize() - 8));
    }
    return stated;
  }

  private void readMetadata(HeaderJson header) {
    for (boolean more = header.beginObject(); more; more = header.nextInObject()) {
      metadata.put(header.readKey(), header.readString());
    }
  }

  private TensorLayout.Entry readEntry(HeaderJson header, String name) {
    String dtype = null;
    long[] shape = null;
    long[] offsets = null;
    for (boolean more = header.beginObject(); more; more = header.nextInObject()) {
      switch (header.readKey()) {
        case "dtype" -> dtype = header.readString();
        case "shape" -> shape = readSizes(header);
        case "data_offsets" -> offsets = readSizes(header);
        default -> header.skipValue();
      }
    }
    String what = "tensor '" + Excerpt.of(name) + "'";
    if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
      throw new ModelFormatException(
          "%s is damaged: %s lacks dtype, shape or data_offsets".formatted(file, what));
    }
    TensorType type = type(dtype);
    if (type == null) {
      throw new ModelFormatException(
          "%s: %s has the number format %s, which Kvasir does not read"
              .formatted(file, what, Excerpt.of(dtype)));
    }
    TensorLayout.Entry entry = TensorLayout.entry(name, type, shape, offsets[0], file);
    if (entry.end() != offsets[1]) {
      throw new ModelFormatException(
          "%s is damaged: %s (%s %s) lies at bytes %d to %d, which is another size"
              .formatted(file, what, dtype, Arrays.toString(shape), offsets[0], offsets[1]));
    }
    return entry;
  }

  private static long[] readSizes(HeaderJson header) {
    long[] sizes = new long[4];
    int count = 0;
    for (boolean more = header.beginArray(); more; more = header.nextInArray()) {
      if (count == Tensor.MAX_DIMENSIONS) {
        throw header.damaged("more than " + count + " numbers stand in an array");
      }
      if (count == sizes.length) {
        sizes = Arrays.copyOf(sizes, 2 * count);
      }
      sizes[count++] = header.readSize();
    }
    return Arrays.copyOf(sizes, count);
  }

  private static @Nullable TensorType type(String dtype) {
    return switch (dtype) {
      case "F64" -> TensorType.F64;
      case "F32" -> TensorType.F32;
      case "F16" -> TensorType.F16;
      case "BF16" -> TensorType.BF16;
      case "F8_E4M3" -> TensorType.F8_E4M3;
      case "F8_E5M2" -> TensorType.F8_E5M2;
      case "F8_E8M0" -> TensorType.F8_E8M0;
      case "I64" -> TensorType.I64;
      case "I32" -> TensorType.I32;
      case "I16" -> TensorType.I16;
      case "I8" -> TensorType.I8;
      case "U8" -> TensorType.U8;
      case "BOOL" -> TensorType.BOOL;
      default -> null;
    };
  }
}
