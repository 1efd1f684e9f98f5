package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
import static io.kvasir.compute.x86.Register.R12;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R15;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.TileCodes.Kind;

/// The function that adds rows of values, multiplied by the weights of a few queries:
///
/// ```
/// acc[q, c] += sum over rows j of (p[q, j] * scale[group of c, j]) * code[j, c]
/// ```
///
/// in the order of `j`, of pairs of bf16 the second first, with fused multiply-adds. Some channels
/// at a time go through all rows, so that their sums stay in registers.
final class ValueCode {
  private static final int LINE = 64;
  private static final int TABLE = 31;
  private static final int ONE = 30;

  private static final Register RUN = R8;
  private static final Register RUNS = R9;
  private static final Register CODES = RSI;
  private static final Register SCALES = RDX;
  private static final Register WEIGHTS = RBX;
  private static final Register TILES = RCX;
  private static final Register NEXT = R10;
  private static final Register ACC = R11;
  private static final Register FOLDED = R13;
  private static final Register WEIGHT = R14;
  private static final Register ROW = R15;
  private static final Register ROWS = R12;

  private final TileCodes codes;
  private final int queries;
  private final boolean isScaled;
  private final Assembler code = new Assembler();

  /// The channels that go through the rows: the first one, and how many vectors.
  private int channel;

  private int vectors;

  private ValueCode(TileCodes codes, int queries) {
    this.codes = codes;
    this.queries = queries;
    isScaled = codes.groups() > 0;
  }

  static byte[] of(TileCodes codes, int queries) {
    ValueCode values = new ValueCode(codes, queries);
    values.write();
    return values.code.code();
  }

  private void write() {
    Register[] saved = {RBX, R12, R13, R14, R15};
    for (Register register : saved) {
      code.push(register);
    }
    code.load(ACC, Memory.at(RDI, TileCall.ACC));
    code.load(FOLDED, Memory.at(RDI, TileCall.FOLDED));
    if (codes.kind() == Kind.NIBBLES || codes.isPaired()) {
      code.loadFloats(TABLE, Memory.at(RDI, TileCall.LEVELS));
    }
    int most = queries <= 2 ? 8 : queries <= 6 ? 4 : 2;
    int all = codes.dim() / TileCodes.TILE;
    for (int from = 0; from < all; from += vectors) {
      channel = from * TileCodes.TILE;
      vectors = Math.min(most, all - from);
      channels();
    }
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  private void channels() {
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < vectors; v++) {
        code.loadFloats(sum(q, v), sumAt(q, v));
      }
    }
    code.load(RUN, Memory.at(RDI, TileCall.RUNS));
    code.load(RUNS, Memory.at(RDI, TileCall.COUNT));
    Label run = code.here();
    code.load(CODES, Memory.at(RUN, TileRuns.CODES));
    code.load(SCALES, Memory.at(RUN, TileRuns.SCALES));
    code.load(WEIGHTS, Memory.at(RUN, TileRuns.SCORES));
    code.load(TILES, Memory.at(RUN, TileRuns.STEPS));
    code.load(NEXT, Memory.at(RUN, TileRuns.NEXT));
    Label tile = code.here();
    tile();
    code.add(CODES, codes.tileBytes());
    code.add(SCALES, codes.scaleBytes());
    code.add(WEIGHTS, TileCodes.TILE * Float.BYTES);
    code.subtract(TILES, 1);
    code.jumpIfNotZero(tile);
    code.add(RUN, TileRuns.SIZE);
    code.subtract(RUNS, 1);
    code.jumpIfNotZero(run);
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < vectors; v++) {
        code.storeFloats(sumAt(q, v), sum(q, v));
      }
    }
  }

  private void tile() {
    if (isScaled) {
      fold();
    } else if (codes.isPaired()) {
      round();
    }
    code.load(ROW, Memory.at(RUN, TileRuns.FIRST_ROW));
    code.move(WEIGHT, ROW);
    code.shiftLeft(WEIGHT, codes.isPaired() ? 1 : 2);
    code.add(WEIGHT, isScaled || codes.isPaired() ? FOLDED : WEIGHTS);
    code.load(ROW, Memory.at(RUN, TileRuns.FIRST_BYTE));
    code.add(ROW, CODES);
    code.load(ROWS, Memory.at(RUN, TileRuns.ROWS));
    Label row = code.here();
    int from = channel * codes.rowBytes() / codes.dim();
    int bytes = vectors * TileCodes.TILE * codes.rowBytes() / codes.dim();
    int together = codes.isPaired() ? 2 : 1;
    for (int r = 0; r < together; r++) {
      int first = r * codes.rowBytes() + from;
      for (int at = first / LINE * LINE; at < first + bytes; at += LINE) {
        code.prefetch(Memory.at(ROW, NEXT, 1, at));
      }
    }
    row(from);
    code.add(ROW, together * codes.rowBytes());
    code.add(WEIGHT, Float.BYTES);
    code.subtract(ROWS, 1);
    code.jumpIfNotZero(row);
  }

  /// Multiplies the weights of a tile with the scales of the channels.
  private void fold() {
    for (int g = 0; g < groups(); g++) {
      int at = (firstGroup() + g) * TileCodes.TILE * Short.BYTES;
      code.prefetch(Memory.at(SCALES, NEXT, 1, at));
      code.halvesToFloats(value(0), Memory.at(SCALES, at));
      for (int q = 0; q < queries; q++) {
        code.multiply(ONE, value(0), Memory.at(WEIGHTS, TileCall.row(q)));
        code.storeFloats(Memory.at(FOLDED, (g * queries + q) * LINE), ONE);
      }
    }
  }

  /// Rounds the weights of a tile to bf16.
  private void round() {
    for (int q = 0; q < queries; q++) {
      code.loadFloats(ONE, Memory.at(WEIGHTS, TileCall.row(q)));
      code.floatsToBf16(ONE, ONE);
      code.storeFloats(Memory.at(FOLDED, q * LINE), ONE);
    }
  }

  private void row(int from) {
    if (codes.isPaired()) {
      for (int v = 0; v < vectors; v++) {
        Memory at = Memory.at(ROW, from + v * codes.tileBytes() / codes.dim());
        Memory second = at.plus(codes.rowBytes());
        TileLoad.pairs(code, codes.kind(), value(v), ONE, TABLE, at, second);
      }
    } else if (codes.kind() == Kind.NIBBLES) {
      for (int v = 0; v < vectors; v += 2) {
        TileLoad.load(code, codes.kind(), value(v), Memory.at(ROW, from + v / 2 * TileCodes.TILE));
        code.shiftRightInts(value(v + 1), value(v), 4);
        code.lookUp(value(v), value(v), TABLE);
        code.lookUp(value(v + 1), value(v + 1), TABLE);
      }
    } else {
      int bytes = codes.tileBytes() / codes.dim();
      for (int v = 0; v < vectors; v++) {
        TileLoad.load(code, codes.kind(), value(v), Memory.at(ROW, from + v * bytes));
      }
    }
    for (int q = 0; q < queries; q++) {
      int loaded = -1;
      for (int v = 0; v < vectors; v++) {
        int group = isScaled ? (channel + v * TileCodes.TILE) / codes.group() - firstGroup() : 0;
        if (group != loaded) {
          boolean isFolded = isScaled || codes.isPaired();
          int at = isFolded ? (group * queries + q) * LINE : TileCall.row(q);
          code.broadcast(ONE, Memory.at(WEIGHT, at));
          loaded = group;
        }
        if (codes.isPaired()) {
          code.multiplyAddPairs(sum(q, v), ONE, value(v));
        } else {
          code.multiplyAdd(sum(q, v), ONE, value(v));
        }
      }
    }
  }

  private int firstGroup() {
    return channel / codes.group();
  }

  private int groups() {
    return (channel + vectors * TileCodes.TILE - 1) / codes.group() - firstGroup() + 1;
  }

  private int sum(int query, int vector) {
    return query * vectors + vector;
  }

  private int value(int vector) {
    return queries * vectors + vector;
  }

  private Memory sumAt(int query, int vector) {
    int at = query * codes.dim() + channel + vector * TileCodes.TILE;
    return Memory.at(ACC, at * Float.BYTES);
  }
}
