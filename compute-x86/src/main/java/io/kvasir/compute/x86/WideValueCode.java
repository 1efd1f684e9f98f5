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

/// The functions that multiply the weights of many queries with the scales of decoded values, and
/// that add the weighted values, in the order of [ValueCode].
///
/// A step takes one row's, or one pair of rows', 64 channels and six queries: ten loads for 24
/// multiply-adds.
final class WideValueCode {
  private static final int LINE = 64;
  private static final int MOST_VECTORS = 4;
  private static final int TILES = WideCall.TOKENS / TileCodes.TILE;
  private static final int VALUE = 24;
  private static final int ONE = 28;
  private static final int ONES = 4;

  private static final Register VALUES = RSI;
  private static final Register WEIGHTS = RDX;
  private static final Register ACC = R8;
  private static final Register BLOCKS = R9;
  private static final Register ROWS = R10;
  private static final Register ROW = R11;
  private static final Register WEIGHT = RAX;
  private static final Register LEFT = RCX;

  private final Shape shape;
  private final int queries;
  private final int weightStride;
  private final Assembler code = new Assembler();

  /// The channels that go through the rows: the first one, and how many vectors.
  private int channel;

  private int vectors;

  private WideValueCode(Shape shape, int queries) {
    this.shape = shape;
    this.queries = queries;
    weightStride = weightStride(shape);
  }

  /// Bytes from the weights of a query to those of the next one. Folded ones are `[queries, groups,
  /// 64]` floats, or `[queries, 64]` of bf16.
  static int weightStride(Shape shape) {
    if (shape.isPaired()) {
      return WideCall.TOKENS * Short.BYTES;
    }
    return shape.isFolded() ? shape.groups() * WideCall.TOKENS * Float.BYTES : TileCall.row(1);
  }

  /// @param queries of a block
  static byte[] of(Shape shape, int queries) {
    WideValueCode values = new WideValueCode(shape, queries);
    values.write();
    return values.code.code();
  }

  /// The function that multiplies weights with scales.
  static byte[] fold(Shape shape) {
    WideValueCode values = new WideValueCode(shape, 0);
    values.writeFold();
    return values.code.code();
  }

  private void write() {
    code.load(VALUES, Memory.at(RDI, WideCall.NUMBERS));
    code.load(WEIGHTS, Memory.at(RDI, WideCall.SCORES));
    code.load(ACC, Memory.at(RDI, WideCall.ACC));
    code.load(BLOCKS, Memory.at(RDI, WideCall.BLOCKS));
    code.load(ROWS, Memory.at(RDI, WideCall.ROWS));
    Label block = code.here();
    int span = shape.group() == 0 ? shape.dim() : shape.group();
    for (int from = 0; from < shape.dim(); from += span) {
      // As even as can be: fewer than four vectors have more loads for each multiply-add.
      int all = Math.min(span, shape.dim() - from) / TileCodes.TILE;
      int times = (all + MOST_VECTORS - 1) / MOST_VECTORS;
      for (int i = 0; i < times; i++) {
        int first = all * i / times;
        channel = from + first * TileCodes.TILE;
        vectors = all * (i + 1) / times - first;
        channels();
      }
    }
    code.add(WEIGHTS, queries * weightStride);
    code.add(ACC, queries * shape.dim() * Float.BYTES);
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    code.vzeroupper();
    code.ret();
  }

  private void channels() {
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < vectors; v++) {
        code.loadFloats(sum(q, v), sumAt(q, v));
      }
    }
    code.move(ROW, VALUES);
    code.move(WEIGHT, WEIGHTS);
    code.move(LEFT, ROWS);
    Label row = code.here();
    row();
    code.add(ROW, shape.dim() * Float.BYTES);
    code.add(WEIGHT, Float.BYTES);
    code.subtract(LEFT, 1);
    code.jumpIfNotZero(row);
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < vectors; v++) {
        code.storeFloats(sumAt(q, v), sum(q, v));
      }
    }
  }

  private void row() {
    int group = shape.group() == 0 ? 0 : channel / shape.group();
    for (int v = 0; v < vectors; v++) {
      code.loadFloats(VALUE + v, Memory.at(ROW, channel * Float.BYTES + v * LINE));
    }
    for (int q = 0; q < queries; q++) {
      int one = ONE + q % ONES;
      int at = q * weightStride + group * WideCall.TOKENS * Float.BYTES;
      code.broadcast(one, Memory.at(WEIGHT, at));
      for (int v = 0; v < vectors; v++) {
        if (shape.isPaired()) {
          code.multiplyAddPairs(sum(q, v), one, VALUE + v);
        } else {
          code.multiplyAdd(sum(q, v), one, VALUE + v);
        }
      }
    }
  }

  private void writeFold() {
    code.load(RSI, Memory.at(RDI, WideCall.SCORES));
    code.load(RDX, Memory.at(RDI, WideCall.FOLDED));
    code.load(R8, Memory.at(RDI, WideCall.SCALES));
    code.load(RCX, Memory.at(RDI, WideCall.BLOCKS));
    Label query = code.here();
    for (int t = 0; t < TILES; t++) {
      code.loadFloats(t, Memory.at(RSI, t * LINE));
    }
    for (int g = 0; g < shape.groups(); g++) {
      for (int t = 0; t < TILES; t++) {
        code.multiply(TILES + t, t, Memory.at(R8, (t * shape.groups() + g) * LINE));
        code.storeFloats(Memory.at(RDX, (g * TILES + t) * LINE), TILES + t);
      }
    }
    code.add(RSI, TileCall.row(1));
    code.add(RDX, weightStride);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(query);
    code.vzeroupper();
    code.ret();
  }

  private int sum(int query, int vector) {
    return query * vectors + vector;
  }

  private Memory sumAt(int query, int vector) {
    int at = query * shape.dim() + channel + vector * TileCodes.TILE;
    return Memory.at(ACC, at * Float.BYTES);
  }
}
