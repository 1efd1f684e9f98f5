package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// bfloat16 (the upper half of a single: 1 sign, 8 exponent, 7 fraction bits), little-endian,
/// rounded to nearest even; NaN stays NaN.
///
/// ```
/// plane:                 | e0 e0 | ... |                 2 D S bytes
/// values, latent rows:   element (slot, i) at   2 (slot D + i)
/// keys:                  element (slot, i) at   2 ((slot / 16 * D + i) 16 + slot % 16)
/// ```
public record Bf16Format() implements KvFormat {
  private static final ValueLayout.OfShort ELEMENT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public String name() {
    return "bf16";
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return 2L * blockTokens * dim;
  }

  @Override
  public RowBasis rowBasis() {
    return RowBasis.PLAIN;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return 1;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    for (int i = 0; i < plane.dim(); i++) {
      plane.memory().set(ELEMENT, at(plane, slot, i), toBf16(source[offset + i]));
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] =
          Float.intBitsToFloat(plane.memory().get(ELEMENT, at(plane, slot, i)) << 16);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    for (int i = 0; i < from.dim(); i++) {
      to.memory().set(ELEMENT, at(to, toSlot, i), from.memory().get(ELEMENT, at(from, slot, i)));
    }
  }

  private static long at(KvPlane plane, int slot, int channel) {
    return plane.offset() + 2 * plane.element(slot, channel);
  }

  /// The bfloat16 nearest to `value`, ties to even.
  private static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }
}
