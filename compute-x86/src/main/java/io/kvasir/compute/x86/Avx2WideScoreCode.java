package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.WideProducts.Shape;

/// As [WideScoreCode] in sixteen registers of eight lanes, with the same bits.
///
/// A step takes one channel of 16 tokens and six queries: eight loads for twelve multiply-adds.
/// Where parts of the channels are summed apart, the sums of all parts are in the rows of scores.
final class Avx2WideScoreCode {
  private static final int LINE = 64;
  private static final int TILES = WideCall.TOKENS / TileCodes.TILE;
  private static final int VECTORS = TileCodes.TILE / Avx2TileLoad.LANES;

  /// Channels that are written out one after the other.
  private static final int UNROLLED = 4;

  private static final int KEY = 12;
  private static final int ONE = 14;
  private static final int ONES = 2;

  private static final Register KEYS = RSI;
  private static final Register FIRST_X = RDX;
  private static final Register SCORES = R8;
  private static final Register BLOCKS = R9;
  private static final Register SCALES = R10;
  private static final Register K = R11;
  private static final Register X = RAX;
  private static final Register STEPS = RCX;
  private static final Register LEFT = RBX;

  private final Shape shape;
  private final int queries;
  private final Avx2Assembler code = new Avx2Assembler();

  private Avx2WideScoreCode(Shape shape, int queries) {
    this.shape = shape;
    this.queries = queries;
  }

  /// @param queries of a block
  static byte[] of(Shape shape, int queries) {
    Avx2WideScoreCode scores = new Avx2WideScoreCode(shape, queries);
    scores.write();
    return scores.code.code();
  }

  private int parts() {
    return shape.part() == 0 ? 1 : (shape.dim() + shape.part() - 1) / shape.part();
  }

  private void write() {
    code.push(LEFT);
    code.load(KEYS, Memory.at(RDI, WideCall.NUMBERS));
    code.load(FIRST_X, Memory.at(RDI, WideCall.X));
    code.load(SCORES, Memory.at(RDI, WideCall.SCORES));
    code.load(BLOCKS, Memory.at(RDI, WideCall.BLOCKS));
    code.load(SCALES, Memory.at(RDI, WideCall.SCALES));
    Label block = code.here();
    code.move(K, KEYS);
    code.set(LEFT, TILES);
    Label tile = code.here();
    tile();
    code.add(SCORES, LINE);
    code.add(SCALES, shape.groups() * LINE);
    code.subtract(LEFT, 1);
    code.jumpIfNotZero(tile);
    code.subtract(SCALES, TILES * shape.groups() * LINE);
    code.add(FIRST_X, queries * shape.queryBytes());
    code.add(SCORES, TileCall.row(queries) - TILES * LINE);
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    code.vzeroupper();
    code.pop(LEFT);
    code.ret();
  }

  /// All channels of a tile. Afterwards the keys' address is that of the next one.
  private void tile() {
    code.move(X, FIRST_X);
    int size = parts() == 1 ? shape.dim() : shape.part();
    for (int from = 0; from < shape.dim(); from += size) {
      for (int i = 0; i < queries * VECTORS; i++) {
        code.zero(i);
      }
      channels(Math.min(size, shape.dim() - from));
      if (parts() > 1) {
        addScaled(from / shape.group(), from == 0);
      }
    }
    if (parts() == 1) {
      if (shape.part() > 0) {
        scaleAll();
      }
      for (int q = 0; q < queries; q++) {
        for (int v = 0; v < VECTORS; v++) {
          code.storeFloats(scoreAt(q, v), sum(q, v));
        }
      }
    }
  }

  private void channels(int channels) {
    code.set(STEPS, channels / UNROLLED);
    Label step = code.here();
    for (int u = 0; u < UNROLLED; u++) {
      for (int v = 0; v < VECTORS; v++) {
        code.loadFloats(KEY + v, Memory.at(K, u * LINE + v * Avx2TileLoad.VECTOR));
      }
      for (int q = 0; q < queries; q++) {
        int one = ONE + q % ONES;
        code.broadcast(one, Memory.at(X, q * shape.queryBytes() + u * Float.BYTES));
        for (int v = 0; v < VECTORS; v++) {
          code.multiplyAdd(sum(q, v), one, KEY + v);
        }
      }
    }
    code.add(K, UNROLLED * LINE);
    code.add(X, UNROLLED * Float.BYTES);
    code.subtract(STEPS, 1);
    code.jumpIfNotZero(step);
  }

  private void addScaled(int group, boolean isFirst) {
    for (int v = 0; v < VECTORS; v++) {
      code.loadFloats(KEY, scaleAt(group, v));
      for (int q = 0; q < queries; q++) {
        int total = ONE + q % ONES;
        if (isFirst) {
          code.zero(total);
        } else {
          code.loadFloats(total, scoreAt(q, v));
        }
        code.multiplyAdd(total, sum(q, v), KEY);
        code.storeFloats(scoreAt(q, v), total);
      }
    }
  }

  /// The same where there is one scale; it is added to zero, so that no sum is -0.
  private void scaleAll() {
    code.zero(ONE);
    for (int v = 0; v < VECTORS; v++) {
      code.loadFloats(KEY, scaleAt(0, v));
      for (int q = 0; q < queries; q++) {
        code.multiplyThenAdd(sum(q, v), KEY, ONE);
      }
    }
  }

  private Memory scaleAt(int group, int v) {
    return Memory.at(SCALES, group * LINE + v * Avx2TileLoad.VECTOR);
  }

  private static Memory scoreAt(int query, int v) {
    return Memory.at(SCORES, TileCall.row(query) + v * Avx2TileLoad.VECTOR);
  }

  private static int sum(int query, int v) {
    return query * VECTORS + v;
  }
}
