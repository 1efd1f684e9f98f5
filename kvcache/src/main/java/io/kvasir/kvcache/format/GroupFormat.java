package io.kvasir.kvcache.format;

/// Integers of 4, 5 or 6 bits with a signed scale for each group of 32 channels (the last of a row
/// may be smaller); keys centred, keys and values rotated.
///
/// ```
/// plane:   | codes, see CodePlanes | scales |               S ceil(D / 2) + ... + 2 S G bytes
/// G = ceil(D / 32) groups; codes are stored as u = c + Q, Q = 2^(bits - 1)
/// scale (slot, g) at   2 ((slot / 16 * G + g) 16 + slot % 16) of the scales, f16, little-endian:
/// those of 16 tokens stand beside each other, to be folded into 16 scores or weights
///
/// m  = the largest or the smallest element, whichever is larger in magnitude (of equal ones the
///      largest); all codes and the scale are 0 where |m| < 2^-24
/// for k = 0 .. 3:
///   s = -m / (Q + k / 2)    c = clamp(round(y (1 / s)), -Q, Q - 1)
///   a = sum(c y)    b = sum(c c)
///   keep s' = a / b of the k whose a a / b is largest (of equal ones the first)
/// stored s = f16(s')    c = clamp(round(y (1 / s)), -Q, Q - 1)    y' = s c
/// ```
///
/// Of four steps the one is kept whose codes come nearest to the group in the sense of least
/// squares, with the best factor for them; a single step and its refit are from ik_llama.cpp (pull
/// request 1547). Sums add 32 terms as a tree, see [RowNumbers#treeSum]; terms behind the end of a
/// smaller group are 0. Rounding is to nearest, ties to even; NaN counts as 0 and huge elements as
/// +-65504.
///
/// @param bits 4, 5 or 6
public record GroupFormat(int bits) implements KvFormat {
  private static final int STEPS = 4;

  /// Below, a group is zero.
  private static final float LEAST = 0x1p-24f;

  public GroupFormat {
    if (bits < 4 || bits > 6) {
      throw new IllegalArgumentException("grouped integers have 4, 5 or 6 bits, not " + bits);
    }
  }

  @Override
  public String name() {
    return "int" + bits;
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
    return RowBasis.CENTRED_ROTATED;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return 1;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    int[] codes = new int[plane.dim()];
    int top = 1 << bits - 1;
    float[] group = new float[CodePlanes.GROUP];
    float[] terms = new float[CodePlanes.GROUP];
    for (int first = 0; first < plane.dim(); first += CodePlanes.GROUP) {
      int size = Math.min(CodePlanes.GROUP, plane.dim() - first);
      for (int i = 0; i < CodePlanes.GROUP; i++) {
        group[i] = i < size ? RowNumbers.finite(source[offset + first + i]) : 0;
      }
      float scale = RowNumbers.half(scale(group, terms, top));
      RowNumbers.putHalf(plane.memory(), codes().scaleAt(plane, slot, first), scale);
      float inverse = RowNumbers.inverse(scale);
      for (int i = 0; i < size; i++) {
        codes[first + i] = RowNumbers.round(group[i] * inverse, -top, top - 1) + top;
      }
    }
    codes().write(plane, slot, codes, 0);
  }

  /// The factor that brings the group nearest to integers from `-top` to `top - 1`.
  private static float scale(float[] group, float[] terms, int top) {
    float largest = 0;
    float smallest = 0;
    for (float y : group) {
      largest = Math.max(largest, y);
      smallest = Math.min(smallest, y);
    }
    float extreme = largest >= -smallest ? largest : smallest;
    if (Math.abs(extreme) < LEAST) {
      return 0;
    }
    float best = 0;
    float gain = -1;
    for (int k = 0; k < STEPS; k++) {
      float inverse = 1 / (-extreme / (top + 0.5f * k));
      int squares = 0;
      for (int i = 0; i < group.length; i++) {
        int code = RowNumbers.round(group[i] * inverse, -top, top - 1);
        terms[i] = code * group[i];
        squares += code * code;
      }
      float sum = RowNumbers.treeSum(terms);
      float candidate = sum * sum / squares;
      if (candidate > gain) {
        gain = candidate;
        best = sum / squares;
      }
    }
    return best;
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    int top = 1 << bits - 1;
    for (int first = 0; first < plane.dim(); first += CodePlanes.GROUP) {
      float scale = RowNumbers.half(plane.memory(), codes().scaleAt(plane, slot, first));
      int end = Math.min(first + CodePlanes.GROUP, plane.dim());
      for (int i = first; i < end; i++) {
        target[offset + i] = scale * (codes[i] - top);
      }
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    codes().copyScaledRow(from, slot, to, toSlot);
  }
}
