package io.kvasir.kvcache.format;

/// 8-bit floats (e4m3: 1 sign, 4 exponent, 3 fraction bits, no infinity, largest 448) with one
/// scale for each row; keys centred, nothing rotated: rotation would spread the error of a large
/// element over all others, which have few bits after the point of their own.
///
/// ```
/// plane:   | codes: S rows of D bytes | scales: one half for each row |      S D + 2 S bytes
/// codes and scales lie as ScaledBytes says
///
/// s = f16(max |y| / 448)    code = e4m3(y (1 / s))    y' = s value(code)
/// ```
///
/// Rounding is to nearest, ties to even; NaN counts as 0, huge elements as +-65504, and what the
/// rounded scale brings above 448 is 448. The number format is that of FP8 Formats for Deep
/// Learning (arXiv 2209.05433).
public record Fp8Format() implements KvFormat {
  /// The largest number.
  private static final float LARGEST = 448;

  /// The smallest number with a whole fraction; below numbers are multiples of 2^-9.
  private static final float LEAST_NORMAL = 0x1p-6f;

  @Override
  public String name() {
    return "fp8";
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return ScaledBytes.planeBytes(blockTokens, dim);
  }

  @Override
  public RowBasis rowBasis() {
    return RowBasis.CENTRED;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return 1;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    float most = ScaledBytes.largest(source, offset, plane.dim());
    float scale = RowNumbers.half(most / LARGEST);
    ScaledBytes.putScale(plane, slot, scale);
    float inverse = RowNumbers.inverse(scale);
    for (int i = 0; i < plane.dim(); i++) {
      byte code = code(RowNumbers.finite(source[offset + i]) * inverse);
      ScaledBytes.put(plane, slot, i, code);
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    float scale = ScaledBytes.scale(plane, slot);
    for (int i = 0; i < plane.dim(); i++) {
      byte code = ScaledBytes.get(plane, slot, i);
      target[offset + i] = scale * value(code);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    ScaledBytes.copyRow(from, slot, to, toSlot);
  }

  /// The number nearest to `x`, which is not NaN.
  static byte code(float x) {
    float magnitude = Math.min(Math.abs(x), LARGEST);
    int code;
    if (magnitude < LEAST_NORMAL) {
      code = (int) Math.rint(magnitude * 0x1p9f);
    } else {
      int bits = Float.floatToRawIntBits(magnitude);
      code = (bits + 0x7ffff + (bits >>> 20 & 1) >>> 20) - (120 << 3);
    }
    return (byte) (code | Float.floatToRawIntBits(x) >>> 24 & 0x80);
  }

  /// The number that a code stands for: its bits, moved into a float, are too small by 2^120.
  static float value(byte code) {
    float magnitude = Float.intBitsToFloat((code & 0x7f) << 20) * 0x1p120f;
    return code < 0 ? -magnitude : magnitude;
  }
}
