package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;

/// Signed bytes with one scale for each row; keys centred, keys and values rotated.
///
/// ```
/// plane:   | codes: S rows of D bytes | scales: s0 s0 | s1 s1 | ... |      S D + 2 S bytes
/// values, latent rows: code (slot, i) at    slot D + i
/// keys:                code (slot, i) at    (slot / 16 * D + i) 16 + slot % 16
/// scale of a row:                           S D + 2 slot, f16, little-endian
///
/// s = f16(max |y| / 127)    c = clamp(round(y (1 / s)), -127, 127)    y' = s c
/// ```
///
/// Rounding is to nearest, ties to even; NaN counts as 0, huge elements as +-65504, and a row whose
/// scale rounds to 0 has codes 0. One scale for a row suffices once rotation has spread what stands
/// out (QuaRot, arXiv 2404.00456) and the mean is gone (kept offsets of keys: KIVI, arXiv
/// 2402.02750).
public record Int8Format() implements KvFormat {
  @Override
  public String name() {
    return "int8";
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return (long) blockTokens * (dim + 2);
  }

  @Override
  public RowBasis rowBasis() {
    return RowBasis.CENTRED_ROTATED;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return 1;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    float most = 0;
    for (int i = 0; i < plane.dim(); i++) {
      most = Math.max(most, Math.abs(RowNumbers.finite(source[offset + i])));
    }
    float scale = RowNumbers.half(most / 127);
    RowNumbers.putHalf(plane.memory(), scaleAt(plane, slot), scale);
    float inverse = RowNumbers.inverse(scale);
    for (int i = 0; i < plane.dim(); i++) {
      float y = RowNumbers.finite(source[offset + i]);
      int code = RowNumbers.round(y * inverse, -127, 127);
      plane.memory().set(ValueLayout.JAVA_BYTE, codeAt(plane, slot, i), (byte) code);
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    float scale = RowNumbers.half(plane.memory(), scaleAt(plane, slot));
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] =
          scale * plane.memory().get(ValueLayout.JAVA_BYTE, codeAt(plane, slot, i));
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    for (int i = 0; i < from.dim(); i++) {
      byte code = from.memory().get(ValueLayout.JAVA_BYTE, codeAt(from, slot, i));
      to.memory().set(ValueLayout.JAVA_BYTE, codeAt(to, toSlot, i), code);
    }
    RowNumbers.copyHalf(from.memory(), scaleAt(from, slot), to.memory(), scaleAt(to, toSlot));
  }

  private static long codeAt(KvPlane plane, int slot, int channel) {
    return plane.offset() + plane.element(slot, channel);
  }

  private static long scaleAt(KvPlane plane, int slot) {
    return plane.offset() + (long) plane.blockTokens() * plane.dim() + 2L * slot;
  }
}
