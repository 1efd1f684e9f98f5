package io.kvasir.model.file;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A metadata value of a GGUF file.
///
/// Arrays stay undecoded in the mapped file until asked for: a vocabulary costs nothing to a
/// program that only wants the tensors.
public sealed interface GgufValue {

  /// An integer of kind `type`; a U64 above 2^63 - 1 appears negative.
  record Int(GgufType type, long value) implements GgufValue {}

  /// A floating-point number of kind F32 or F64.
  record Real(GgufType type, double value) implements GgufValue {}

  record Bool(boolean value) implements GgufValue {}

  record Text(String value) implements GgufValue {}

  /// `count` elements of `elementType`, encoded as in the file (checked when the file was opened).
  record Array(GgufType elementType, long count, MemorySegment encoded) implements GgufValue {}

  static GgufValue of(String text) {
    return new Text(text);
  }

  static GgufValue of(boolean value) {
    return new Bool(value);
  }

  /// An unsigned 32-bit integer, the kind of most counts.
  static GgufValue of(int value) {
    if (value < 0) {
      throw new IllegalArgumentException("metadata count " + value + " is negative");
    }
    return new Int(GgufType.U32, value);
  }

  static GgufValue of(float value) {
    return new Real(GgufType.F32, value);
  }

  static GgufValue ofStrings(List<String> texts) {
    long size = 0;
    for (String text : texts) {
      size += 8 + text.getBytes(StandardCharsets.UTF_8).length;
    }
    ByteBuffer out = buffer(size);
    for (String text : texts) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      out.putLong(utf8.length).put(utf8);
    }
    return new Array(GgufType.STRING, texts.size(), MemorySegment.ofBuffer(out.flip()));
  }

  static GgufValue ofInts(int... values) {
    ByteBuffer out = buffer(4L * values.length);
    for (int value : values) {
      out.putInt(value);
    }
    return new Array(GgufType.I32, values.length, MemorySegment.ofBuffer(out.flip()));
  }

  static GgufValue ofFloats(float... values) {
    ByteBuffer out = buffer(4L * values.length);
    for (float value : values) {
      out.putFloat(value);
    }
    return new Array(GgufType.F32, values.length, MemorySegment.ofBuffer(out.flip()));
  }

  /// An array of booleans.
  static GgufValue ofBooleans(boolean... values) {
    ByteBuffer out = buffer(values.length);
    for (boolean value : values) {
      out.put((byte) (value ? 1 : 0));
    }
    return new Array(GgufType.BOOL, values.length, MemorySegment.ofBuffer(out.flip()));
  }

  private static ByteBuffer buffer(long size) {
    return Arena.ofAuto()
        .allocate(Math.max(size, 1))
        .asSlice(0, size)
        .asByteBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
