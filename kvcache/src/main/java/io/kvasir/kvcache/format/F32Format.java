package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// IEEE 754 single precision, little-endian, the exact reference.
///
/// ```
/// row slot:  | e0 e0 e0 e0 | e1 e1 e1 e1 | ... | eD-1 |     4 D bytes
/// plane:     | row 0 | row 1 | ... | row S-1 |            4 D S bytes
/// ```
record F32Format() implements KvFormat {
  private static final ValueLayout.OfFloat ELEMENT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public String name() {
    return "f32";
  }

  @Override
  public long planeBytes(int blockTokens, int dim) {
    return 4L * blockTokens * dim;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    long at = plane.offset() + 4L * slot * plane.dim();
    for (int i = 0; i < plane.dim(); i++) {
      plane.memory().set(ELEMENT, at + 4L * i, source[offset + i]);
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    long at = plane.offset() + 4L * slot * plane.dim();
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] = plane.memory().get(ELEMENT, at + 4L * i);
    }
  }
}
