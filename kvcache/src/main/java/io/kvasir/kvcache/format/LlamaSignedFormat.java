package io.kvasir.kvcache.format;

/// q4_0, q5_0 and the rotated q4_0r: 4 or 5 bits with a signed scale for each group of 32 channels,
/// with the codes and scales of llama.cpp's formats of these names; baselines to compare with.
///
/// ```
/// plane:   | codes, see CodePlanes | scales: one half for each row and group |
/// G = ceil(D / 32), Q = 8 or 16; the order of scales is that of GroupFormat
///
/// m = the element of largest magnitude, the first of equal ones    d = m / -Q    stored f16(d)
/// u = clamp(truncate(fma(x, 1 / d, Q + 0.5)), 0, 2 Q - 1)          x' = f16(d) (u - Q)
/// ```
///
/// The scale is not rounded before it divides, as there. NaN counts as 0, huge elements as +-65504.
/// llama.cpp rotates rows since its pull request 21038: q4_0r.
///
/// @param bits 4 or 5
/// @param rotated whether rows are rotated
public record LlamaSignedFormat(int bits, boolean rotated) implements KvFormat {
  public LlamaSignedFormat {
    if (bits != 4 && bits != 5) {
      throw new IllegalArgumentException("codes have 4 or 5 bits, not " + bits);
    }
  }

  @Override
  public String name() {
    return "q" + bits + (rotated ? "_0r" : "_0");
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(bits);
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return codes().scaledBytes(blockTokens, dim);
  }

  @Override
  public RowBasis rowBasis() {
    return rotated ? RowBasis.ROTATED : RowBasis.PLAIN;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return 1;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    int[] codes = new int[plane.dim()];
    int top = 1 << bits - 1;
    for (int first = 0; first < plane.dim(); first += CodePlanes.GROUP) {
      int end = Math.min(first + CodePlanes.GROUP, plane.dim());
      float extreme = 0;
      for (int i = first; i < end; i++) {
        float x = RowNumbers.finite(source[offset + i]);
        if (Math.abs(x) > Math.abs(extreme)) {
          extreme = x;
        }
      }
      float scale = extreme / -top;
      float inverse = RowNumbers.inverse(scale);
      RowNumbers.putHalf(plane.memory(), codes().scaleAt(plane, slot, first), scale);
      for (int i = first; i < end; i++) {
        float moved = Math.fma(RowNumbers.finite(source[offset + i]), inverse, top + 0.5f);
        codes[i] = Math.clamp((int) moved, 0, 2 * top - 1);
      }
    }
    codes().write(plane, slot, codes, 0);
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    int top = 1 << bits - 1;
    for (int i = 0; i < plane.dim(); i++) {
      float scale = RowNumbers.half(plane.memory(), codes().scaleAt(plane, slot, i));
      target[offset + i] = scale * (codes[i] - top);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    codes().copyScaledRow(from, slot, to, toSlot);
  }
}
