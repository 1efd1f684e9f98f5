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

/// As [ValueCode] in sixteen registers of eight lanes, with the same bits.
///
/// Sixteen channels of a block of queries go through all rows, of two queries or one thirty-two. Of
/// nibbles these are eight channels and the eight that share their bytes. They never have more than
/// one scale.
final class Avx2ValueCode {
  private static final int LINE = 64;
  private static final int LANES = Avx2TileLoad.LANES;
  private static final int ONE = 15;
  private static final int SCALE = 14;

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
  private final boolean isNibbles;
  private final Avx2Assembler code = new Avx2Assembler();

  // The block that is written: its first query, how many, and vectors of how many channels, of
  // which the first is number `vector` of a row as it is stored.
  private int query;

  private int side;
  private int vector;
  private int vectors;

  private Avx2ValueCode(TileCodes codes, int queries) {
    this.codes = codes;
    this.queries = queries;
    isScaled = codes.groups() > 0;
    isNibbles = codes.kind() == Kind.NIBBLES;
  }

  static byte[] of(TileCodes codes, int queries) {
    Avx2ValueCode values = new Avx2ValueCode(codes, queries);
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
    int block = Avx2ScoreCode.block(codes, queries);
    int all = codes.dim() / LANES;
    for (query = 0; query < queries; query += side) {
      side = Math.min(block, queries - query);
      for (vector = 0; vector < all; vector += vectors) {
        vectors = Math.min(side <= 2 ? 4 : 2, all - vector);
        channels();
      }
    }
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  private void channels() {
    for (int q = 0; q < side; q++) {
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
    for (int q = 0; q < side; q++) {
      for (int v = 0; v < vectors; v++) {
        code.storeFloats(sumAt(q, v), sum(q, v));
      }
    }
  }

  private void tile() {
    if (isScaled) {
      fold();
    }
    code.load(ROW, Memory.at(RUN, TileRuns.FIRST_ROW));
    code.move(WEIGHT, ROW);
    code.shiftLeft(WEIGHT, 2);
    code.add(WEIGHT, isScaled ? FOLDED : WEIGHTS);
    code.load(ROW, Memory.at(RUN, TileRuns.FIRST_BYTE));
    code.add(ROW, CODES);
    code.load(ROWS, Memory.at(RUN, TileRuns.ROWS));
    Label row = code.here();
    int bytes = LANES * codes.rowBytes() / codes.dim();
    int from = vector * bytes;
    if (query == 0) {
      // Every line of a row once: by the vectors that it begins with.
      for (int at = (from + LINE - 1) / LINE * LINE; at < from + vectors * bytes; at += LINE) {
        code.prefetch(Memory.at(ROW, NEXT, 1, at));
      }
    }
    values(from, bytes);
    for (int q = 0; q < side; q++) {
      code.broadcast(ONE, Memory.at(WEIGHT, isScaled ? q * LINE : TileCall.row(query + q)));
      for (int v = 0; v < vectors; v++) {
        code.multiplyAdd(sum(q, v), ONE, value(v));
      }
    }
    code.add(ROW, codes.rowBytes());
    code.add(WEIGHT, Float.BYTES);
    code.subtract(ROWS, 1);
    code.jumpIfNotZero(row);
  }

  private void values(int from, int bytes) {
    for (int v = 0; v < vectors; v += isNibbles ? 2 : 1) {
      Memory at = Memory.at(ROW, from + v * bytes);
      if (isNibbles) {
        Avx2TileLoad.nibbles(code, value(v), value(v + 1), at, TileCall.LEVELS);
      } else {
        Avx2TileLoad.load(code, codes.kind(), value(v), at);
      }
    }
  }

  /// Multiplies the weights of a tile with the scales of the channels.
  private void fold() {
    int at = channel(0) / codes.group() * TileCodes.TILE * Short.BYTES;
    if (query == 0) {
      code.prefetch(Memory.at(SCALES, NEXT, 1, at));
    }
    for (int t = 0; t < TileCodes.TILE; t += LANES) {
      code.halvesToFloats(SCALE, Memory.at(SCALES, at + t * Short.BYTES));
      for (int q = 0; q < side; q++) {
        int weight = TileCall.row(query + q) + t * Float.BYTES;
        code.multiply(ONE, SCALE, Memory.at(WEIGHTS, weight));
        code.storeFloats(Memory.at(FOLDED, q * LINE + t * Float.BYTES), ONE);
      }
    }
  }

  /// The first channel of a vector of the block. Nibbles stand in the order of eight channels and
  /// the eight that are sixteen further.
  private int channel(int v) {
    int number = vector + v;
    return isNibbles
        ? number / 4 * TileCodes.NIBBLE_GROUP + number / 2 % 2 * LANES + number % 2 * TileCodes.TILE
        : number * LANES;
  }

  private int sum(int q, int v) {
    return q * vectors + v;
  }

  private int value(int v) {
    return side * vectors + v;
  }

  private Memory sumAt(int q, int v) {
    return Memory.at(ACC, ((query + q) * codes.dim() + channel(v)) * Float.BYTES);
  }
}
