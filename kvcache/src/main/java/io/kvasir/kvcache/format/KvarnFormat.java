package io.kvasir.kvcache.format;

/// 2, 3 or 4 bits in tiles of 64 tokens that are balanced first: a factor for each token (keys) or
/// each channel (values), then steps and minima along the other side; rows rotated. After KVarN
/// (arXiv 2606.03458).
///
/// ```
/// keys, latent rows:  | codes | steps [S/64][D] | minima [S/64][D] | token factors [S] |
/// values:             | codes | steps [S] | minima [S] | channel factors [S/64][D] |
/// steps, minima and factors are f16, little-endian; for codes see CodePlanes
///
/// x' = (s code + z) f, not fused: for keys s and z of the channel, f of the token; for values s and
/// z of the token, f of the channel
/// ```
///
/// Factors come from [TileBalance]. Each line that shares a step (a channel of keys over 64 tokens,
/// a token of values) is divided by the factors, v = clamp(x (1 / f), -65504, 65504), and spans min
/// .. max of v. Of six spans, shrunk about their middle by 1, 0.9, ..., 0.5, the one is kept whose
/// codes come nearest in the sense of least squares weighted by f f, the first of equal ones:
///
/// ```
/// h = (max - min) / 2    z = f16((max + min) / 2 - h shrink)    s = f16(2 h shrink / (2^bits - 1))
/// code = clamp(round((v - z) (1 / s)), 0, 2^bits - 1)
/// error = sum(w e e) in the order of the line, w = f f, e = s code + z - v
/// ```
///
/// Rounding is to nearest, ties to even; NaN counts as 0 and huge elements as +-65504. The search
/// for the span is ours; the published format takes the whole.
///
/// @param bits 2, 3 or 4
public record KvarnFormat(int bits) implements KvFormat {
  /// Tokens of a tile.
  public static final int TILE = 64;

  private static final int SPANS = 6;

  public KvarnFormat {
    if (bits < 2 || bits > 4) {
      throw new IllegalArgumentException("kvarn has 2, 3 or 4 bits, not " + bits);
    }
  }

  @Override
  public String name() {
    return "kvarn" + bits;
  }

  /// Where the codes are.
  public CodePlanes codes() {
    return new CodePlanes(bits);
  }

  @Override
  public long planeBytes(int blockTokens, int dim, PlaneKind kind) {
    return codes().bytes(blockTokens, dim)
        + 2 * lineHalves(blockTokens, dim, kind)
        + (kind == PlaneKind.VALUES ? tileHalves(blockTokens, dim) : 2L * blockTokens);
  }

  /// Bytes of all steps or of all minima.
  private static long lineHalves(int blockTokens, int dim, PlaneKind kind) {
    return kind == PlaneKind.VALUES ? 2L * blockTokens : tileHalves(blockTokens, dim);
  }

  private static long tileHalves(int blockTokens, int dim) {
    return 2L * ((blockTokens + TILE - 1) / TILE) * dim;
  }

  @Override
  public RowBasis rowBasis() {
    return RowBasis.ROTATED;
  }

  @Override
  public int tileTokens(PlaneKind kind) {
    return TILE;
  }

  @Override
  public void encode(float[] source, int offset, KvPlane plane, int slot) {
    int dim = plane.dim();
    TileBalance balance = TileBalance.of(source, offset, TILE, dim);
    boolean values = plane.kind() == PlaneKind.VALUES;
    float[] factors = values ? balance.channelFactors() : balance.tokenFactors();
    for (int i = 0; i < factors.length; i++) {
      factors[i] = RowNumbers.half(factors[i]);
      int token = values ? slot : slot + i;
      RowNumbers.putHalf(plane.memory(), factorAt(plane, token, values ? i : 0), factors[i]);
    }
    float[] line = new float[factors.length];
    int[] codes = new int[TILE * dim];
    for (int n = 0; n < (values ? TILE : dim); n++) {
      for (int i = 0; i < line.length; i++) {
        int at = values ? n * dim + i : i * dim + n;
        float x = RowNumbers.finite(source[offset + at]);
        line[i] = RowNumbers.finite(x * RowNumbers.inverse(factors[i]));
      }
      Place place = values ? new Place(plane, slot + n, 0) : new Place(plane, slot, n);
      encodeLine(line, factors, place, codes, values ? n * dim : n);
    }
    for (int row = 0; row < TILE; row++) {
      codes().write(plane, slot + row, codes, row * dim);
    }
  }

  /// Where a line begins.
  private record Place(KvPlane plane, int slot, int channel) {}

  /// Encodes a line with the best of the spans; its codes go to `codes[from]` and on.
  private void encodeLine(float[] line, float[] factors, Place place, int[] codes, int from) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float v : line) {
      min = Math.min(min, v);
      max = Math.max(max, v);
    }
    int top = (1 << bits) - 1;
    float half = (max - min) / 2;
    float least = Float.POSITIVE_INFINITY;
    float step = 0;
    float minimum = 0;
    for (int k = 0; k < SPANS; k++) {
      float shrink = (10 - k) / 10f;
      float z = RowNumbers.half((max + min) / 2 - half * shrink);
      float s = RowNumbers.half(2 * half * shrink / top);
      float error = error(line, factors, s, z);
      if (error < least) {
        least = error;
        step = s;
        minimum = z;
      }
    }
    KvPlane plane = place.plane();
    long at = stepAt(plane, place.slot(), place.channel());
    RowNumbers.putHalf(plane.memory(), at, step);
    long minima = lineHalves(plane.blockTokens(), plane.dim(), plane.kind());
    RowNumbers.putHalf(plane.memory(), at + minima, minimum);
    float inverse = RowNumbers.inverse(step);
    int apart = plane.kind() == PlaneKind.VALUES ? 1 : plane.dim();
    for (int i = 0; i < line.length; i++) {
      codes[from + i * apart] = RowNumbers.round((line[i] - minimum) * inverse, 0, top);
    }
  }

  private float error(float[] line, float[] factors, float step, float minimum) {
    int top = (1 << bits) - 1;
    float inverse = RowNumbers.inverse(step);
    float sum = 0;
    for (int i = 0; i < line.length; i++) {
      int code = RowNumbers.round((line[i] - minimum) * inverse, 0, top);
      float off = step * code + minimum - line[i];
      sum += factors[i] * factors[i] * (off * off);
    }
    return sum;
  }

  @Override
  public void decode(KvPlane plane, int slot, float[] target, int offset) {
    int[] codes = new int[plane.dim()];
    codes().read(plane, slot, codes);
    long minima = lineHalves(plane.blockTokens(), plane.dim(), plane.kind());
    for (int i = 0; i < plane.dim(); i++) {
      long at = stepAt(plane, slot, i);
      float step = RowNumbers.half(plane.memory(), at);
      float minimum = RowNumbers.half(plane.memory(), at + minima);
      float factor = RowNumbers.half(plane.memory(), factorAt(plane, slot, i));
      target[offset + i] = (step * codes[i] + minimum) * factor;
    }
  }

  @Override
  public void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    throw new UnsupportedOperationException(name() + " encodes 64 tokens together");
  }

  private long stepAt(KvPlane plane, int slot, int channel) {
    long steps = plane.offset() + codes().bytes(plane.blockTokens(), plane.dim());
    return plane.kind() == PlaneKind.VALUES
        ? steps + 2L * slot
        : steps + 2 * ((long) (slot / TILE) * plane.dim() + channel);
  }

  private long factorAt(KvPlane plane, int slot, int channel) {
    long factors =
        plane.offset()
            + codes().bytes(plane.blockTokens(), plane.dim())
            + 2 * lineHalves(plane.blockTokens(), plane.dim(), plane.kind());
    return plane.kind() == PlaneKind.VALUES
        ? factors + 2 * ((long) (slot / TILE) * plane.dim() + channel)
        : factors + 2L * slot;
  }
}
