package io.kvasir.kvcache.format;

/// Signed bytes with one scale for each row; keys centred, keys and values rotated.
///
/// ```
/// plane:   | codes: S rows of D bytes | scales: one half for each row |      S D + 2 S bytes
/// codes and scales lie as ScaledBytes says
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
    return ScaledBytes.planeBytes(blockTokens, dim);
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
    float most = ScaledBytes.largest(source, offset, plane.dim());
    float scale = RowNumbers.half(most / 127);
    ScaledBytes.putScale(plane, slot, scale);
    float inverse = RowNumbers.inverse(scale);
    for (int i = 0; i < plane.dim(); i++) {
      float y = RowNumbers.finite(source[offset + i]);
      int code = RowNumbers.round(y * inverse, -127, 127);
      ScaledBytes.put(plane, slot, i, (byte) code);
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    float scale = ScaledBytes.scale(plane, slot);
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] = scale * ScaledBytes.get(plane, slot, i);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    ScaledBytes.copyRow(from, slot, to, toSlot);
  }
}
