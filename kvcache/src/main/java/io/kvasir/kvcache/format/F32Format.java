package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// IEEE 754 single precision, little-endian, the exact reference.
///
/// ```
/// plane:                 | e0 e0 e0 e0 | ... |                 4 D S bytes
/// values, latent rows:   element (slot, i) at   4 (slot D + i)
/// keys:                  element (slot, i) at   4 ((slot / 16 * D + i) 16 + slot % 16)
/// ```
public record F32Format() implements KvFormat {
  private static final ValueLayout.OfFloat ELEMENT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public String name() {
    return "f32";
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return 4L * blockTokens * dim;
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
      plane.memory().set(ELEMENT, at(plane, slot, i), source[offset + i]);
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] = plane.memory().get(ELEMENT, at(plane, slot, i));
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    for (int i = 0; i < from.dim(); i++) {
      to.memory().set(ELEMENT, at(to, toSlot, i), from.memory().get(ELEMENT, at(from, slot, i)));
    }
  }

  private static long at(KvPlane plane, int slot, int channel) {
    return plane.offset() + 4 * plane.element(slot, channel);
  }
}
