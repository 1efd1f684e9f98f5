package io.kvasir.kvcache.format;

/// 2 or 4 bits between a minimum and a maximum: keys by channel over 32 tokens, values by token
/// over 32 channels, rows as they are. KIVI (arXiv 2402.02750), a baseline to compare with.
///
/// ```
/// keys, latent rows:  | codes | steps [S / 32][D] | minima [S / 32][D] |
/// values:             | codes | steps [S][G] | minima [S][G] |          G = ceil(D / 32)
/// steps and minima are f16, little-endian, channels beside each other, groups in the order of the
/// scales of GroupFormat; for codes see CodePlanes
///
/// z = f16(min)    s = f16((max - z) / (2^bits - 1))
/// code = clamp(round((x - z) (1 / s)), 0, 2^bits - 1)    x' = s code + z, not fused
/// ```
///
/// Rounding is to nearest, ties to even; NaN counts as 0 and huge elements as +-65504. Keys are
/// encoded 32 tokens at a time, so their newest must be kept exactly beside the codes.
///
/// @param bits 2 or 4
public record KiviFormat(int bits) implements KvFormat {
  private static final int TILE = 32;

  public KiviFormat {
    if (bits != 2 && bits != 4) {
      throw new IllegalArgumentException("kivi has 2 or 4 bits, not " + bits);
    }
  }

  @Override
  public String name() {
    return "kivi" + bits;
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(bits);
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return codes().bytes(blockTokens, dim) + 2 * halves(blockTokens, dim, kind);
  }

  /// Bytes of all steps or of all minima.
  private static long halves(int blockTokens, int dim, PlaneKind kind) {
    return kind == PlaneKind.VALUES
        ? CodePlanes.groupHalves(blockTokens, dim)
        : 2L * ((blockTokens + TILE - 1) / TILE) * dim;
  }

  @Override
  public RowBasis rowBasis() {
    return RowBasis.PLAIN;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return kind == PlaneKind.VALUES ? 1 : TILE;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    int dim = plane.dim();
    boolean tile = plane.kind() != PlaneKind.VALUES;
    int[] codes = new int[tile ? TILE * dim : dim];
    if (tile) {
      for (int i = 0; i < dim; i++) {
        encode(source, offset + i, new Line(plane, slot, i, dim, TILE), codes);
      }
    } else {
      for (int first = 0; first < dim; first += CodePlanes.GROUP) {
        int count = Math.min(CodePlanes.GROUP, dim - first);
        encode(source, offset + first, new Line(plane, slot, first, 1, count), codes);
      }
    }
    for (int row = 0; row < codes.length / dim; row++) {
      codes().write(plane, slot + row, codes, row * dim);
    }
  }

  /// Elements that share step and minimum: `count` from a slot and channel on, `stride` apart.
  private record Line(KvPlane plane, int slot, int channel, int stride, int count) {}

  /// Encodes a line from `source[from]` on; its codes go to `codes[channel]` and on.
  private void encode(float[] source, int from, Line line, int[] codes) {
    int stride = line.stride();
    int count = line.count();
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      float x = RowNumbers.finite(source[from + i * stride]);
      min = Math.min(min, x);
      max = Math.max(max, x);
    }
    KvPlane plane = line.plane();
    int top = (1 << bits) - 1;
    float least = RowNumbers.half(min);
    float step = RowNumbers.half((max - least) / top);
    long at = stepAt(plane, line.slot(), line.channel());
    RowNumbers.putHalf(plane.memory(), at, step);
    RowNumbers.putHalf(
        plane.memory(), at + halves(plane.blockTokens(), plane.dim(), plane.kind()), least);
    float inverse = RowNumbers.inverse(step);
    for (int i = 0; i < count; i++) {
      float x = RowNumbers.finite(source[from + i * stride]);
      int code = RowNumbers.round((x - least) * inverse, 0, top);
      codes[line.channel() + i * stride] = code;
    }
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    long minima = halves(plane.blockTokens(), plane.dim(), plane.kind());
    for (int i = 0; i < plane.dim(); i++) {
      long at = stepAt(plane, slot, i);
      float step = RowNumbers.half(plane.memory(), at);
      target[offset + i] = step * codes[i] + RowNumbers.half(plane.memory(), at + minima);
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    if (from.kind() != PlaneKind.VALUES) {
      throw new UnsupportedOperationException(name() + " encodes 32 keys together");
    }
    codes().copyRow(from, slot, to, toSlot);
    long minima = halves(from.blockTokens(), from.dim(), from.kind());
    long toMinima = halves(to.blockTokens(), to.dim(), to.kind());
    for (int i = 0; i < from.dim(); i += CodePlanes.GROUP) {
      long at = stepAt(from, slot, i);
      long toAt = stepAt(to, toSlot, i);
      RowNumbers.copyHalf(from.memory(), at, to.memory(), toAt);
      RowNumbers.copyHalf(from.memory(), at + minima, to.memory(), toAt + toMinima);
    }
  }

  private long stepAt(KvPlane plane, int slot, int channel) {
    long steps = plane.offset() + codes().bytes(plane.blockTokens(), plane.dim());
    return plane.kind() == PlaneKind.VALUES
        ? steps + CodePlanes.groupHalf(plane, slot, channel)
        : steps + 2 * ((long) (slot / TILE) * plane.dim() + channel);
  }
}
