package io.kvasir.kvcache.format;

/// q8_0 and its rotated form q8_0r: signed bytes with a scale for each group of 32 channels, with
/// the codes and scales of llama.cpp's format of this name; a baseline to compare with.
///
/// ```
/// plane:   | codes, see CodePlanes | scales: one half for each row and group |   S D + 2 S G bytes
/// G = ceil(D / 32); a code is stored as a signed byte; the order of scales is that of GroupFormat
///
/// d = max |x| / 127    stored f16(d)    q = round(x (1 / d)), ties away from zero    x' = f16(d) q
/// ```
///
/// The scale is not rounded before it divides, as there. NaN counts as 0, huge elements as +-65504.
/// llama.cpp rotates rows since its pull request 21038: q8_0r.
///
/// @param rotated whether rows are rotated
public record LlamaByteFormat(boolean rotated) implements KvFormat {
  @Override
  public String name() {
    return rotated ? "q8_0r" : "q8_0";
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(8);
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
    for (int first = 0; first < plane.dim(); first += CodePlanes.GROUP) {
      int end = Math.min(first + CodePlanes.GROUP, plane.dim());
      float most = 0;
      for (int i = first; i < end; i++) {
        most = Math.max(most, Math.abs(RowNumbers.finite(source[offset + i])));
      }
      float scale = most / 127;
      float inverse = RowNumbers.inverse(scale);
      RowNumbers.putHalf(plane.memory(), codes().scaleAt(plane, slot, first), scale);
      for (int i = first; i < end; i++) {
        int code = RowNumbers.roundAway(RowNumbers.finite(source[offset + i]) * inverse, 127);
        codes[i] = code & 255;
      }
    }
    codes().write(plane, slot, codes, 0);
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    for (int i = 0; i < plane.dim(); i++) {
      float scale = RowNumbers.half(plane.memory(), codes().scaleAt(plane, slot, i));
      target[offset + i] = scale * (byte) codes[i];
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    codes().copyScaledRow(from, slot, to, toSlot);
  }
}
