package io.kvasir.compute.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Unaligned little-endian access to the bytes of a block.
final class Le {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Le() {}

  static int u8(MemorySegment s, long at) {
    return s.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
  }

  static int i8(MemorySegment s, long at) {
    return s.get(ValueLayout.JAVA_BYTE, at);
  }

  static short i16(MemorySegment s, long at) {
    return s.get(SHORT, at);
  }

  static int u16(MemorySegment s, long at) {
    return s.get(SHORT, at) & 0xFFFF;
  }

  static int i32(MemorySegment s, long at) {
    return s.get(INT, at);
  }

  static long i64(MemorySegment s, long at) {
    return s.get(LONG, at);
  }

  static float f16(MemorySegment s, long at) {
    return Float.float16ToFloat(s.get(SHORT, at));
  }

  static void put8(MemorySegment s, long at, int value) {
    s.set(ValueLayout.JAVA_BYTE, at, (byte) value);
  }

  static void put16(MemorySegment s, long at, int value) {
    s.set(SHORT, at, (short) value);
  }

  static void put32(MemorySegment s, long at, int value) {
    s.set(INT, at, value);
  }

  static void putF16(MemorySegment s, long at, float value) {
    s.set(SHORT, at, Float.floatToFloat16(value));
  }
}
