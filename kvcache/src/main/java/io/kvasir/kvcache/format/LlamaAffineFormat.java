package io.kvasir.kvcache.format;

/// q5_1: 5 bits with a scale and a minimum for each group of 32 channels, with the codes and scales
/// of llama.cpp's format of this name; a baseline to compare with.
///
/// ```
/// plane:   | codes, see CodePlanes | scales | minima |    the last two: a half for each row, group
/// G = ceil(D / 32); the order of scales and of minima is that of GroupFormat
///
/// d = (max - min) / 31    stored f16(d), f16(min)
/// u = clamp(truncate((x - min) (1 / d) + 0.5), 0, 31)    x' = f16(d) u + f16(min), not fused
/// ```
///
/// The scale is not rounded before it divides, as there. NaN counts as 0, huge elements as +-65504.
public record LlamaAffineFormat() implements KvFormat {
  private static final int TOP = 31;

  @Override
  public String name() {
    return "q5_1";
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(5);
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return codes().scaledBytes(blockTokens, dim) + CodePlanes.groupHalves(blockTokens, dim);
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
    int[] codes = new int[plane.dim()];
    for (int first = 0; first < plane.dim(); first += CodePlanes.GROUP) {
      int end = Math.min(first + CodePlanes.GROUP, plane.dim());
      float min = Float.POSITIVE_INFINITY;
      float max = Float.NEGATIVE_INFINITY;
      for (int i = first; i < end; i++) {
        float x = RowNumbers.finite(source[offset + i]);
        min = Math.min(min, x);
        max = Math.max(max, x);
      }
      float scale = (max - min) / TOP;
      float inverse = RowNumbers.inverse(scale);
      RowNumbers.putHalf(plane.memory(), codes().scaleAt(plane, slot, first), scale);
      RowNumbers.putHalf(plane.memory(), minimumAt(plane, slot, first), min);
      for (int i = first; i < end; i++) {
        float moved = (RowNumbers.finite(source[offset + i]) - min) * inverse + 0.5f;
        codes[i] = Math.clamp((int) moved, 0, TOP);
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
      float min = RowNumbers.half(plane.memory(), minimumAt(plane, slot, i));
      target[offset + i] = scale * codes[i] + min;
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    codes().copyScaledRow(from, slot, to, toSlot);
    for (int i = 0; i < from.dim(); i += CodePlanes.GROUP) {
      RowNumbers.copyHalf(
          from.memory(), minimumAt(from, slot, i), to.memory(), minimumAt(to, toSlot, i));
    }
  }

  private long minimumAt(KvPlane plane, int slot, int channel) {
    return codes().scaleAt(plane, slot, channel)
        + CodePlanes.groupHalves(plane.blockTokens(), plane.dim());
  }
}
