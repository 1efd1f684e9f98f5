package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// IEEE 754 half precision (1 sign, 5 exponent, 10 fraction bits), little-endian, rounded to
/// nearest even; magnitudes from 65,520 become infinite.
///
/// ```
/// row slot:  | e0 e0 | e1 e1 | ... | eD-1 eD-1 |     2 D bytes
/// plane:     | row 0 | row 1 | ... | row S-1 |     2 D S bytes
/// ```
record F16Format() implements KvFormat {
  private static final ValueLayout.OfShort ELEMENT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public String name() {
    return "f16";
  }

  @Override
  public long planeBytes(int blockTokens, int dim) {
    return 2L * blockTokens * dim;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    long at = plane.offset() + 2L * slot * plane.dim();
    for (int i = 0; i < plane.dim(); i++) {
      plane.memory().set(ELEMENT, at + 2L * i, Float.floatToFloat16(source[offset + i]));
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    long at = plane.offset() + 2L * slot * plane.dim();
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] = Float.float16ToFloat(plane.memory().get(ELEMENT, at + 2L * i));
    }
  }
}
