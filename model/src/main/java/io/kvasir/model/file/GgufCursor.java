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

  /// What is being read, for messages: put together only when one is needed.
  private String kind = "the start";

  private String name = "";

  /// @param file the name for error messages
  GgufCursor(MemorySegment bytes, String file) {
    this.bytes = bytes;
    this.file = file;
  }

  long position() {
    return at;
  }

  /// Says what is read from here on.
  ///
  /// @param kind such as "tensor"
  /// @param name which one; empty where there is but one
  void enter(String kind, String name) {
    this.kind = kind;
    this.name = name;
  }

  private String subject() {
    return name.isEmpty() ? kind : kind + " '" + Excerpt.of(name) + "'";
  }

  int readU8() {
    return bytes.get(ValueLayout.JAVA_BYTE, advance(1)) & 0xFF;
  }

  int readI32() {
    return bytes.get(INT, advance(4));
  }

  long readI64() {
    return bytes.get(LONG, advance(8));
  }

  /// A 64-bit count of things that take at least `bytesEach` bytes in the file.
  ///
  /// @param unit what is counted, such as "elements of "
  long readCount(long bytesEach, String unit) {
    long count = readI64();
    long left = bytes.byteSize() - at;
    if (count < 0 || count > left / bytesEach) {
      throw new ModelFormatException(
          "%s is damaged: it claims %s %s%s but only %d bytes follow"
              .formatted(file, Long.toUnsignedString(count), unit, subject(), left));
    }
    return count;
  }

  String readString() {
    long length = readCount(1, "bytes of ");
    if (length > Integer.MAX_VALUE - 8) {
      throw new ModelFormatException(
          file + " is damaged: " + subject() + " has a string of " + length + " bytes");
    }
    byte[] utf8 = bytes.asSlice(advance(length), length).toArray(ValueLayout.JAVA_BYTE);
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private GgufType readType() {
    int id = readI32();
    GgufType type = GgufType.find(id);
    if (type == null) {
      throw new ModelFormatException(
          "%s is damaged: %s has the unknown type %d".formatted(file, subject(), id));
    }
    return type;
  }

  /// A metadata value with its type before it.
  GgufValue readValue() {
    GgufType type = readType();
    return switch (type) {
      case U8 -> new GgufValue.Int(type, readU8());
      case I8 -> new GgufValue.Int(type, (byte) readU8());
      case U16 -> new GgufValue.Int(type, bytes.get(SHORT, advance(2)) & 0xFFFF);
      case I16 -> new GgufValue.Int(type, bytes.get(SHORT, advance(2)));
      case U32 -> new GgufValue.Int(type, readI32() & 0xFFFF_FFFFL);
      case I32 -> new GgufValue.Int(type, readI32());
      case U64, I64 -> new GgufValue.Int(type, readI64());
      case F32 -> new GgufValue.Real(type, Float.intBitsToFloat(readI32()));
      case F64 -> new GgufValue.Real(type, Double.longBitsToDouble(readI64()));
      case BOOL -> new GgufValue.Bool(readU8() != 0);
      case STRING -> new GgufValue.Text(readString());
      case ARRAY -> readArray(1);
    };
  }

  /// An array whose element type and count come next.
  private GgufValue.Array readArray(int depth) {
    if (depth > MAX_ARRAY_DEPTH) {
      throw new ModelFormatException(
          "%s is damaged: %s nests arrays deeper than %d"
              .formatted(file, subject(), MAX_ARRAY_DEPTH));
    }
    GgufType element = readType();
    long least = element == GgufType.ARRAY ? 12 : element == GgufType.STRING ? 8 : element.bytes();
    long count = readCount(least, "elements of ");
    long start = at;
    if (element.bytes() > 0) {
      advance(count * element.bytes());
    } else {
      for (long i = 0; i < count; i++) {
        skipElement(element, depth);
      }
    }
    return new GgufValue.Array(element, count, bytes.asSlice(start, at - start));
  }

  private void skipElement(GgufType element, int depth) {
    if (element == GgufType.STRING) {
      advance(readCount(1, "bytes of an element of "));
    } else {
      readArray(depth + 1);
    }
  }

  /// Steps over `count` bytes and answers where they start.
  private long advance(long count) {
    if (count > bytes.byteSize() - at) {
      throw new ModelFormatException(
          "%s is cut off at byte %d, in %s: fetch it again"
              .formatted(file, bytes.byteSize(), subject()));
    }
    long start = at;
    at += count;
    return start;
  }
}
