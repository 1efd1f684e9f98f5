package io.kvasir.kvcache.format;

import java.util.Arrays;

/// 2, 3 or 4 bits: the nearest of the levels that are best for normal numbers (Lloyd 1982, Max
/// 1960), with one factor for each row; keys centred, keys and values rotated, which makes their
/// elements nearly normal.
///
/// ```
/// plane:   | codes, see CodePlanes | factors: one half for each row |
/// factor of a row: 2 slot of the factors, f16, little-endian; codes count the levels from below
///
/// n = sqrt(sum(y y))    u = y (sqrt(D) / n)    code = number of thresholds below u
/// factor = f16(min(n / sqrt(sum(L[code] L[code])), 65504))    y' = factor L[code]
/// ```
///
/// Thresholds are the midpoints of neighbouring levels. Sums add element i to partial sum i % 16 in
/// the order of i, then the 16 as a tree, see [RowNumbers#treeSum]. The factor keeps the length of
/// the row (as TurboQuant, arXiv 2504.19874, has it), where least squares would shorten it. NaN
/// counts as 0, huge elements as +-65504; a row with n = 0 has factor 0 and the codes of the level
/// below 0.
///
/// @param bits 2, 3 or 4
public record LloydMaxFormat(int bits) implements KvFormat {
  private static final float[][] POSITIVE = {
    {0.4528f, 1.5104f},
    {0.2451f, 0.7560f, 1.3439f, 2.1519f},
    {0.1284f, 0.3881f, 0.6568f, 0.9424f, 1.2562f, 1.6181f, 2.0690f, 2.7326f}
  };
  private static final float[][] LEVELS = {levels(2), levels(3), levels(4)};

  public LloydMaxFormat {
    if (bits < 2 || bits > 4) {
      throw new IllegalArgumentException("tables have 2, 3 or 4 bits, not " + bits);
    }
  }

  private static float[] levels(int bits) {
    float[] positive = POSITIVE[bits - 2];
    float[] levels = new float[2 * positive.length];
    for (int i = 0; i < positive.length; i++) {
      levels[positive.length + i] = positive[i];
      levels[positive.length - 1 - i] = -positive[i];
    }
    return levels;
  }

  @Override
  public String name() {
    return "lm" + bits;
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(bits);
  }

  /// The level that a code stands for.
  public float level(int code) {
    return LEVELS[bits - 2][code];
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return codes().bytes(blockTokens, dim) + 2L * blockTokens;
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
    int[] codes = new int[plane.dim()];
    float[] sums = new float[16];
    for (int i = 0; i < plane.dim(); i++) {
      float y = RowNumbers.finite(source[offset + i]);
      sums[i % 16] += y * y;
    }
    float norm = (float) Math.sqrt(RowNumbers.treeSum(sums));
    float stretch = norm == 0 ? 0 : (float) Math.sqrt(plane.dim()) / norm;
    Arrays.fill(sums, 0);
    for (int i = 0; i < plane.dim(); i++) {
      int code = nearest(RowNumbers.finite(source[offset + i]) * stretch);
      codes[i] = code;
      sums[i % 16] += level(code) * level(code);
    }
    codes().write(plane, slot, codes, 0);
    float factor = norm / (float) Math.sqrt(RowNumbers.treeSum(sums));
    RowNumbers.putHalf(plane.memory(), factorAt(plane, slot), Math.min(factor, RowNumbers.LARGEST));
  }

  private int nearest(float u) {
    float[] levels = LEVELS[bits - 2];
    int code = 0;
    for (int i = 1; i < levels.length; i++) {
      code += u > (levels[i - 1] + levels[i]) / 2 ? 1 : 0;
    }
    return code;
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    float factor = RowNumbers.half(plane.memory(), factorAt(plane, slot));
    for (int i = 0; i < plane.dim(); i++) {
      target[offset + i] = factor * level(codes[i]);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    codes().copyRow(from, slot, to, toSlot);
    RowNumbers.copyHalf(from.memory(), factorAt(from, slot), to.memory(), factorAt(to, toSlot));
  }

  private long factorAt(KvPlane plane, int slot) {
    return plane.offset() + codes().bytes(plane.blockTokens(), plane.dim()) + 2L * slot;
  }
}
