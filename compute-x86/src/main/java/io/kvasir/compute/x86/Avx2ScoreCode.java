package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
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

/// As [ScoreCode] in sixteen registers of eight lanes, with the same bits.
///
/// A step is one tile, two vectors of eight tokens. Queries for which there are no registers at
/// once go through it one block after the other, and nibbles of more than two queries one vector
/// after the other. Where sums of groups are multiplied by scales, they are added up in the row of
/// scores.
final class Avx2ScoreCode {
  private static final int LINE = 64;

  /// Vectors of a tile.
  private static final int VECTORS = TileCodes.TILE / Avx2TileLoad.LANES;

  /// Most queries of a block; of nibbles, of which both halves of a byte have sums.
  private static final int MOST_QUERIES = 6;

  private static final int MOST_NIBBLE_QUERIES = 4;

  /// Channels, or bytes of nibbles, that are written out one after the other.
  private static final int UNROLLED = 4;

  private static final int ONE = 15;

  private static final Register RUN = R8;
  private static final Register RUNS = R9;
  private static final Register CODES = RSI;
  private static final Register SCALES = RDX;
  private static final Register SCORES = RBX;
  private static final Register STEPS = RCX;
  private static final Register NEXT = R10;
  private static final Register X = RAX;
  private static final Register FIRST_X = R13;
  private static final Register KEYS = R11;
  private static final Register CHANNELS = R12;

  private final TileCodes codes;
  private final int queries;
  private final boolean isNibbles;

  /// Halves of a byte, each with sums of its own.
  private final int halves;

  private final Avx2Assembler code = new Avx2Assembler();

  // The block that is written: its first query, how many, its first vector, how many.
  private int query;

  private int side;
  private int vector;
  private int vectors;

  private Avx2ScoreCode(TileCodes codes, int queries) {
    this.codes = codes;
    this.queries = queries;
    isNibbles = codes.kind() == Kind.NIBBLES;
    halves = isNibbles ? 2 : 1;
  }

  static byte[] of(TileCodes codes, int queries) {
    Avx2ScoreCode scores = new Avx2ScoreCode(codes, queries);
    scores.write();
    return scores.code.code();
  }

  /// The size of blocks into which queries are cut, as even as can be.
  static int block(TileCodes codes, int queries) {
    int most = codes.kind() == Kind.NIBBLES ? MOST_NIBBLE_QUERIES : MOST_QUERIES;
    int blocks = (queries + most - 1) / most;
    return (queries + blocks - 1) / blocks;
  }

  /// Whether sums of groups are multiplied by scales and added up.
  private boolean isGrouped() {
    return isNibbles || codes.groups() > 1;
  }

  private void write() {
    Register[] saved = {RBX, R12, R13};
    for (Register register : saved) {
      code.push(register);
    }
    code.load(FIRST_X, Memory.at(RDI, TileCall.X));
    code.load(RUN, Memory.at(RDI, TileCall.RUNS));
    code.load(RUNS, Memory.at(RDI, TileCall.COUNT));
    Label run = code.here();
    code.load(CODES, Memory.at(RUN, TileRuns.CODES));
    code.load(SCALES, Memory.at(RUN, TileRuns.SCALES));
    code.load(SCORES, Memory.at(RUN, TileRuns.SCORES));
    code.load(STEPS, Memory.at(RUN, TileRuns.STEPS));
    code.load(NEXT, Memory.at(RUN, TileRuns.NEXT));
    Label step = code.here();
    tile();
    code.add(CODES, codes.tileBytes());
    code.add(SCALES, codes.scaleBytes());
    code.add(SCORES, TileCodes.TILE * Float.BYTES);
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

  private void tile() {
    int block = block(codes, queries);
    for (query = 0; query < queries; query += side) {
      side = Math.min(block, queries - query);
      vectors = isNibbles && side > 2 ? 1 : VECTORS;
      for (vector = 0; vector < VECTORS; vector += vectors) {
        block();
      }
    }
  }

  /// All channels of some vectors of a tile.
  private void block() {
    code.move(X, FIRST_X);
    code.move(KEYS, CODES);
    int size = isGrouped() ? TileCodes.NIBBLE_GROUP : codes.dim();
    for (int from = 0; from < codes.dim(); from += size) {
      sumChannels(Math.min(size, codes.dim() - from));
      if (isGrouped()) {
        addScaled(codes.groups() > 1 ? from / codes.group() : 0, from == 0);
      }
    }
    if (!isGrouped()) {
      if (codes.groups() == 1) {
        scaleAll();
      }
      for (int q = 0; q < side; q++) {
        for (int v = 0; v < vectors; v++) {
          code.storeFloats(scoreAt(q, v), sum(q, 0, v));
        }
      }
    }
  }

  private void sumChannels(int channels) {
    for (int i = 0; i < side * halves * vectors; i++) {
      code.zero(i);
    }
    int bytes = codes.tileBytes() / codes.dim() * halves;
    code.set(CHANNELS, channels / halves / UNROLLED);
    Label next = code.here();
    if (query == 0 && vector == 0) {
      for (int at = 0; at < UNROLLED * bytes; at += LINE) {
        code.prefetch(Memory.at(KEYS, NEXT, 1, at));
      }
    }
    for (int u = 0; u < UNROLLED; u++) {
      for (int v = 0; v < vectors; v++) {
        int at = u * bytes + (vector + v) * bytes / VECTORS;
        if (isNibbles) {
          Memory both = Memory.at(KEYS, at);
          Avx2TileLoad.nibbles(code, key(0, v), key(1, v), both, TileCall.LEVELS);
        } else {
          Avx2TileLoad.load(code, codes.kind(), key(0, v), Memory.at(KEYS, at));
        }
      }
      for (int h = 0; h < halves; h++) {
        for (int q = 0; q < side; q++) {
          int channel = u + h * TileCodes.TILE;
          multiply(q, h, ((query + q) * codes.dim() + channel) * Float.BYTES);
        }
      }
    }
    code.add(KEYS, UNROLLED * bytes);
    code.add(X, UNROLLED * Float.BYTES);
    code.subtract(CHANNELS, 1);
    code.jumpIfNotZero(next);
    if (isNibbles) {
      code.add(X, TileCodes.TILE * Float.BYTES);
    }
  }

  private void multiply(int q, int half, int at) {
    code.broadcast(ONE, Memory.at(X, at));
    for (int v = 0; v < vectors; v++) {
      code.multiplyAdd(sum(q, half, v), ONE, key(half, v));
    }
  }

  private void addScaled(int group, boolean isFirst) {
    for (int v = 0; v < vectors; v++) {
      int scale = key(0, 0);
      loadScale(scale, group, v);
      for (int q = 0; q < side; q++) {
        if (isFirst) {
          code.zero(ONE);
        } else {
          code.loadFloats(ONE, scoreAt(q, v));
        }
        for (int h = 0; h < halves; h++) {
          code.multiplyAdd(ONE, sum(q, h, v), scale);
        }
        code.storeFloats(scoreAt(q, v), ONE);
      }
    }
  }

  /// The same where there is one scale; it is added to zero, so that no sum is -0.
  private void scaleAll() {
    int scale = key(0, 0);
    code.zero(ONE);
    for (int v = 0; v < vectors; v++) {
      loadScale(scale, 0, v);
      for (int q = 0; q < side; q++) {
        code.multiplyThenAdd(sum(q, 0, v), scale, ONE);
      }
    }
  }

  private void loadScale(int scale, int group, int v) {
    int at = group * TileCodes.TILE * Short.BYTES;
    if (query == 0 && vector + v == 0) {
      code.prefetch(Memory.at(SCALES, NEXT, 1, at));
    }
    code.halvesToFloats(
        scale, Memory.at(SCALES, at + (vector + v) * Avx2TileLoad.LANES * Short.BYTES));
  }

  private Memory scoreAt(int q, int v) {
    return Memory.at(SCORES, TileCall.row(query + q) + (vector + v) * Avx2TileLoad.VECTOR);
  }

  private int sum(int q, int half, int v) {
    return (q * halves + half) * vectors + v;
  }

  private int key(int half, int v) {
    return (side * halves + half) * vectors + v;
  }
}
