package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R12;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.TileCodes.Kind;

/// The function that multiplies a few queries with tiles of keys:
///
/// ```
/// s[q, t] = sum over groups g of scale[g, t] * (sum over channels c of g of x[q, c] * code[c, t])
/// ```
///
/// in ascending order, with fused multiply-adds; nibbles sum the first sixteen channels of a group
/// and the others apart, and pairs of bf16 are added the second first. Codes are converted once for
/// all queries; the same place of the rows that are read next is asked for meanwhile.
final class ScoreCode {
  private static final int LINE = 64;
  private static final int REGISTERS = 32;
  private static final int MOST_TILES = 4;

  /// Channels, or bytes of nibbles, that are written out one after the other.
  private static final int UNROLLED = 4;

  private static final int TABLE = REGISTERS - 1;
  private static final int ONE = REGISTERS - 2;

  private static final Register RUN = R8;
  private static final Register RUNS = R9;
  private static final Register CODES = RSI;
  private static final Register SCALES = RDX;
  private static final Register SCORES = RBX;
  private static final Register STEPS = RCX;
  private static final Register NEXT = R10;
  private static final Register X = RAX;
  private static final Register FIRST_X = R13;
  private static final Register CHANNELS = R12;

  private final TileCodes codes;
  private final int queries;
  private final int tiles;

  /// Halves of a byte, each with sums of its own.
  private final int halves;

  private final Assembler code = new Assembler();

  private ScoreCode(TileCodes codes, int queries, int tiles) {
    this.codes = codes;
    this.queries = queries;
    this.tiles = tiles;
    halves = halves(codes);
  }

  /// @param tiles at once: [#tiles], or 1
  static byte[] of(TileCodes codes, int queries, int tiles) {
    ScoreCode scores = new ScoreCode(codes, queries, tiles);
    scores.write();
    return scores.code.code();
  }

  /// The most tiles for which there are registers, a power of two.
  static int tiles(TileCodes codes, int queries) {
    for (int tiles = MOST_TILES; tiles > 1; tiles /= 2) {
      if (registers(codes, queries, tiles) <= ONE) {
        return tiles;
      }
    }
    return 1;
  }

  private static int registers(TileCodes codes, int queries, int tiles) {
    int sums = queries * tiles * (halves(codes) + (isGrouped(codes) ? 1 : 0));
    return sums + halves(codes) * tiles;
  }

  private static int halves(TileCodes codes) {
    return codes.kind() == Kind.NIBBLES ? 2 : 1;
  }

  /// Whether sums of groups are multiplied by scales and added up.
  private static boolean isGrouped(TileCodes codes) {
    return codes.kind() == Kind.NIBBLES || codes.groups() > 1;
  }

  private void write() {
    Register[] saved = {RBX, R12, R13};
    for (Register register : saved) {
      code.push(register);
    }
    code.load(FIRST_X, Memory.at(RDI, TileCall.X));
    code.load(RUN, Memory.at(RDI, TileCall.RUNS));
    code.load(RUNS, Memory.at(RDI, TileCall.COUNT));
    if (codes.kind() == Kind.NIBBLES || codes.isPaired()) {
      code.loadFloats(TABLE, Memory.at(RDI, TileCall.LEVELS));
    }
    Label run = code.here();
    code.load(CODES, Memory.at(RUN, TileRuns.CODES));
    code.load(SCALES, Memory.at(RUN, TileRuns.SCALES));
    code.load(SCORES, Memory.at(RUN, TileRuns.SCORES));
    code.load(STEPS, Memory.at(RUN, TileRuns.STEPS));
    code.load(NEXT, Memory.at(RUN, TileRuns.NEXT));
    Label step = code.here();
    step();
    code.add(CODES, (tiles - 1) * codes.tileBytes());
    code.add(SCALES, tiles * codes.scaleBytes());
    code.add(SCORES, tiles * TileCodes.TILE * Float.BYTES);
    code.subtract(STEPS, 1);
    code.jumpIfNotZero(step);
    code.add(RUN, TileRuns.SIZE);
    code.subtract(RUNS, 1);
    code.jumpIfNotZero(run);
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  /// All channels of some tiles. Afterwards the codes' address is one tile further.
  private void step() {
    code.move(X, FIRST_X);
    if (isGrouped(codes)) {
      for (int i = 0; i < queries * tiles; i++) {
        code.zero(total(0, 0) + i);
      }
    }
    int size = !isGrouped(codes) ? codes.dim() : TileCodes.NIBBLE_GROUP;
    for (int from = 0; from < codes.dim(); from += size) {
      sumChannels(Math.min(size, codes.dim() - from));
      if (isGrouped(codes)) {
        addScaled(codes.groups() > 1 ? from / codes.group() : 0);
      }
    }
    if (!isGrouped(codes) && codes.groups() == 1) {
      scaleAll();
    }
    for (int q = 0; q < queries; q++) {
      for (int t = 0; t < tiles; t++) {
        int result = isGrouped(codes) ? total(q, t) : sum(q, 0, t);
        code.storeFloats(Memory.at(SCORES, TileCall.row(q) + t * LINE), result);
      }
    }
  }

  private void sumChannels(int channels) {
    for (int i = 0; i < queries * halves * tiles; i++) {
      code.zero(i);
    }
    int together = codes.isPaired() ? 2 : halves;
    code.set(CHANNELS, channels / together / UNROLLED);
    Label next = code.here();
    int bytes = codes.tileBytes() / codes.dim() * together;
    for (int t = 0; t < tiles; t++) {
      for (int at = 0; at < UNROLLED * bytes; at += LINE) {
        code.prefetch(Memory.at(CODES, NEXT, 1, t * codes.tileBytes() + at));
      }
    }
    for (int u = 0; u < UNROLLED; u++) {
      for (int t = 0; t < tiles; t++) {
        keys(t, Memory.at(CODES, t * codes.tileBytes() + u * bytes));
      }
      for (int h = 0; h < halves; h++) {
        for (int q = 0; q < queries; q++) {
          int query = q * codes.dim() * (codes.isPaired() ? Short.BYTES : Float.BYTES);
          int at = query + (u + h * TileCodes.TILE) * Float.BYTES;
          multiply(q, h, Memory.at(X, at));
        }
      }
    }
    code.add(CODES, UNROLLED * bytes);
    code.add(X, UNROLLED * Float.BYTES);
    code.subtract(CHANNELS, 1);
    code.jumpIfNotZero(next);
    if (halves == 2) {
      code.add(X, TileCodes.TILE * Float.BYTES);
    }
  }

  private void multiply(int query, int half, Memory x) {
    if (tiles == 1) {
      if (codes.isPaired()) {
        code.multiplyAddOnePair(sum(query, half, 0), key(half, 0), x);
      } else {
        code.multiplyAddOne(sum(query, half, 0), key(half, 0), x);
      }
      return;
    }
    code.broadcast(ONE, x);
    for (int t = 0; t < tiles; t++) {
      if (codes.isPaired()) {
        code.multiplyAddPairs(sum(query, half, t), ONE, key(half, t));
      } else {
        code.multiplyAdd(sum(query, half, t), ONE, key(half, t));
      }
    }
  }

  private void keys(int tile, Memory at) {
    int key = key(0, tile);
    if (codes.isPaired()) {
      Memory second = at.plus(codes.rowBytes() / codes.dim() * TileCodes.TILE);
      TileLoad.pairs(code, codes.kind(), key, ONE, TABLE, at, second);
      return;
    }
    TileLoad.load(code, codes.kind(), key, at);
    if (halves == 2) {
      code.shiftRightInts(key(1, tile), key, 4);
      code.lookUp(key, key, TABLE);
      code.lookUp(key(1, tile), key(1, tile), TABLE);
    }
  }

  private void addScaled(int group) {
    for (int t = 0; t < tiles; t++) {
      int at = t * codes.scaleBytes() + group * TileCodes.TILE * Short.BYTES;
      code.prefetch(Memory.at(SCALES, NEXT, 1, at));
      code.halvesToFloats(ONE, Memory.at(SCALES, at));
      for (int h = 0; h < halves; h++) {
        for (int q = 0; q < queries; q++) {
          code.multiplyAdd(total(q, t), sum(q, h, t), ONE);
        }
      }
    }
  }

  /// The same where there is one scale; it is added to zero, so that no sum is -0.
  private void scaleAll() {
    int scale = key(0, 0);
    for (int t = 0; t < tiles; t++) {
      int at = t * codes.scaleBytes();
      code.prefetch(Memory.at(SCALES, NEXT, 1, at));
      code.halvesToFloats(scale, Memory.at(SCALES, at));
      for (int q = 0; q < queries; q++) {
        code.zero(ONE);
        code.multiplyAdd(ONE, sum(q, 0, t), scale);
        code.or(sum(q, 0, t), ONE, ONE);
      }
    }
  }

  private int sum(int query, int half, int tile) {
    return (query * halves + half) * tiles + tile;
  }

  private int total(int query, int tile) {
    return queries * halves * tiles + query * tiles + tile;
  }

  private int key(int half, int tile) {
    int sums = queries * tiles * (halves + (isGrouped(codes) ? 1 : 0));
    return sums + half * tiles + tile;
  }
}
