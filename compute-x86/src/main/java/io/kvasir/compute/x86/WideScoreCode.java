package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.WideProducts.Shape;

/// The function that multiplies blocks of queries with four decoded tiles of keys, in the order of
/// [ScoreCode].
///
/// A step takes one channel of 64 tokens and six queries: ten loads for 24 multiply-adds. Where
/// parts of the channels are summed apart, half of the registers have the sums of all parts, and
/// the tiles are taken in two pairs.
final class WideScoreCode {
  private static final int LINE = 64;
  private static final int TILES = WideCall.TOKENS / TileCodes.TILE;

  /// Channels, or pairs of them, that are written out one after the other.
  private static final int UNROLLED = 4;

  private static final int KEY = 24;
  private static final int ONE = 28;
  private static final int ONES = 4;

  private static final Register KEYS = RSI;
  private static final Register FIRST_X = RDX;
  private static final Register SCORES = R8;
  private static final Register BLOCKS = R9;
  private static final Register SCALES = R10;
  private static final Register K = R11;
  private static final Register X = RAX;
  private static final Register STEPS = RCX;

  private final Shape shape;
  private final int queries;
  private final int tiles;
  private final Assembler code = new Assembler();

  private WideScoreCode(Shape shape, int queries) {
    this.shape = shape;
    this.queries = queries;
    tiles = parts() > 1 ? TILES / 2 : TILES;
  }

  /// @param queries of a block
  static byte[] of(Shape shape, int queries) {
    WideScoreCode scores = new WideScoreCode(shape, queries);
    scores.write();
    return scores.code.code();
  }

  private int parts() {
    return shape.part() == 0 ? 1 : (shape.dim() + shape.part() - 1) / shape.part();
  }

  private void write() {
    code.load(KEYS, Memory.at(RDI, WideCall.NUMBERS));
    code.load(FIRST_X, Memory.at(RDI, WideCall.X));
    code.load(SCORES, Memory.at(RDI, WideCall.SCORES));
    code.load(BLOCKS, Memory.at(RDI, WideCall.BLOCKS));
    code.load(SCALES, Memory.at(RDI, WideCall.SCALES));
    Label block = code.here();
    for (int first = 0; first < TILES; first += tiles) {
      tiles(first);
    }
    code.add(FIRST_X, queries * shape.queryBytes());
    code.add(SCORES, TileCall.row(queries));
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    code.vzeroupper();
    code.ret();
  }

  private void tiles(int first) {
    code.move(X, FIRST_X);
    code.move(K, KEYS);
    int size = parts() == 1 ? shape.steps() : shape.part();
    if (parts() > 1) {
      zero(total(0, 0));
    }
    for (int from = 0; from < shape.steps(); from += size) {
      zero(0);
      steps(first, Math.min(size, shape.steps() - from));
      if (parts() > 1) {
        addScaled(first, from / shape.group());
      }
    }
    if (parts() == 1 && shape.part() > 0) {
      scaleAll(first);
    }
    for (int q = 0; q < queries; q++) {
      for (int t = 0; t < tiles; t++) {
        int result = parts() > 1 ? total(q, t) : sum(q, t);
        code.storeFloats(Memory.at(SCORES, TileCall.row(q) + (first + t) * LINE), result);
      }
    }
  }

  private void zero(int from) {
    for (int i = 0; i < queries * tiles; i++) {
      code.zero(from + i);
    }
  }

  private void steps(int first, int steps) {
    code.set(STEPS, steps / UNROLLED);
    Label step = code.here();
    for (int u = 0; u < UNROLLED; u++) {
      for (int t = 0; t < tiles; t++) {
        code.loadFloats(KEY + t, Memory.at(K, ((first + t) * shape.steps() + u) * LINE));
      }
      for (int q = 0; q < queries; q++) {
        int one = ONE + q % ONES;
        code.broadcast(one, Memory.at(X, q * shape.queryBytes() + u * Float.BYTES));
        for (int t = 0; t < tiles; t++) {
          if (shape.isPaired()) {
            code.multiplyAddPairs(sum(q, t), one, KEY + t);
          } else {
            code.multiplyAdd(sum(q, t), one, KEY + t);
          }
        }
      }
    }
    code.add(K, UNROLLED * LINE);
    code.add(X, UNROLLED * Float.BYTES);
    code.subtract(STEPS, 1);
    code.jumpIfNotZero(step);
  }

  private void addScaled(int first, int group) {
    for (int t = 0; t < tiles; t++) {
      code.loadFloats(KEY, scaleAt(first + t, group));
      for (int q = 0; q < queries; q++) {
        code.multiplyAdd(total(q, t), sum(q, t), KEY);
      }
    }
  }

  /// The same where there is one scale; it is added to zero, so that no sum is -0.
  private void scaleAll(int first) {
    code.zero(ONE);
    for (int t = 0; t < tiles; t++) {
      code.loadFloats(KEY, scaleAt(first + t, 0));
      for (int q = 0; q < queries; q++) {
        code.multiplyThenAdd(sum(q, t), KEY, ONE);
      }
    }
  }

  private Memory scaleAt(int tile, int group) {
    return Memory.at(SCALES, (tile * shape.groups() + group) * LINE);
  }

  private int sum(int query, int tile) {
    return query * tiles + tile;
  }

  private int total(int query, int tile) {
    return queries * tiles + sum(query, tile);
  }
}
