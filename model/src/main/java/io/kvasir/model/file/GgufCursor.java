package io.kvasir.model.file;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// Reads the header of a GGUF file front to back; nothing is taken from beyond the end, and every
/// count is compared with the bytes that are left before memory is allocated for it.
final class GgufCursor {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// No known file nests arrays at all; deeper than this means an attack on the stack.
  private static final int MAX_ARRAY_DEPTH = 4;

  private final MemorySegment bytes;
  private final String file;
  private long at;

  /// @param file the name for error messages
  GgufCursor(MemorySegment bytes, String file) {
    this.bytes = bytes;
    this.file = file;
  }

  long position() {
    return at;
  }

  int readU8(String what) {
    return bytes.get(ValueLayout.JAVA_BYTE, advance(1, what)) & 0xFF;
  }

  int readI32(String what) {
    return bytes.get(INT, advance(4, what));
  }

  long readI64(String what) {
    return bytes.get(LONG, advance(8, what));
  }

  /// A 64-bit count of things that take at least `bytesEach` bytes in the file.
  long readCount(long bytesEach, String what) {
    long count = readI64(what);
    long left = bytes.byteSize() - at;
    if (count < 0 || count > left / bytesEach) {
      throw new ModelFormatException(
          "%s is damaged: it claims %s %s but only %d bytes follow"
              .formatted(file, Long.toUnsignedString(count), what, left));
    }
    return count;
  }

  String readString(String what) {
    return text(readStringBytes(what));
  }

  private MemorySegment readStringBytes(String what) {
    long length = readCount(1, "bytes of " + what);
    if (length > Integer.MAX_VALUE - 8) {
      throw new ModelFormatException(file + " is damaged: " + what + " has " + length + " bytes");
    }
    return bytes.asSlice(advance(length, what), length);
  }

  private static String text(MemorySegment utf8) {
    return new String(utf8.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  GgufType readType(String what) {
    int id = readI32("the type of " + what);
    GgufType type = GgufType.find(id);
    if (type == null) {
      throw new ModelFormatException(
          "%s is damaged: %s has the unknown type %d".formatted(file, what, id));
    }
    return type;
  }

  GgufValue readValue(String key) {
    String what = "metadata '" + Excerpt.of(key) + "'";
    return readValue(readType(what), what);
  }

  private GgufValue readValue(GgufType type, String what) {
    return switch (type) {
      case U8 -> new GgufValue.Int(type, readU8(what));
      case I8 -> new GgufValue.Int(type, (byte) readU8(what));
      case U16 -> new GgufValue.Int(type, bytes.get(SHORT, advance(2, what)) & 0xFFFF);
      case I16 -> new GgufValue.Int(type, bytes.get(SHORT, advance(2, what)));
      case U32 -> new GgufValue.Int(type, readI32(what) & 0xFFFF_FFFFL);
      case I32 -> new GgufValue.Int(type, readI32(what));
      case U64, I64 -> new GgufValue.Int(type, readI64(what));
      case F32 -> new GgufValue.Real(type, Float.intBitsToFloat(readI32(what)));
      case F64 -> new GgufValue.Real(type, Double.longBitsToDouble(readI64(what)));
      case BOOL -> new GgufValue.Bool(readU8(what) != 0);
      case STRING -> new GgufValue.Text(readString(what));
      case ARRAY -> readArray(what, 1);
    };
  }

  /// An array whose element type and count come next.
  GgufValue.Array readArray(String what, int depth) {
    if (depth > MAX_ARRAY_DEPTH) {
      throw new ModelFormatException(
          "%s is damaged: %s nests arrays deeper than %d".formatted(file, what, MAX_ARRAY_DEPTH));
    }
    GgufType element = readType("the elements of " + what);
    long least = element == GgufType.ARRAY ? 12 : element == GgufType.STRING ? 8 : element.bytes();
    long count = readCount(least, "elements of " + what);
    long start = at;
    if (element.bytes() > 0) {
      advance(count * element.bytes(), what);
    } else {
      for (long i = 0; i < count; i++) {
        skipElement(element, what, depth);
      }
    }
    return new GgufValue.Array(element, count, bytes.asSlice(start, at - start));
  }

  private void skipElement(GgufType element, String what, int depth) {
    if (element == GgufType.STRING) {
      advance(readCount(1, "bytes of an element of " + what), what);
    } else {
      readArray(what, depth + 1);
    }
  }

  /// Steps over `count` bytes and answers where they start.
  private long advance(long count, String what) {
    if (count > bytes.byteSize() - at) {
      throw new ModelFormatException(
          "%s is cut off at byte %d, in %s: fetch it again"
              .formatted(file, bytes.byteSize(), what));
    }
    long start = at;
    at += count;
    return start;
  }
}
