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

/// As [WideValueCode] in sixteen registers of eight lanes, with the same bits.
///
/// A step takes one row's 16 channels and six queries: eight loads for twelve multiply-adds.
final class Avx2WideValueCode {
  private static final int VECTOR = Avx2TileLoad.VECTOR;
  private static final int VECTORS = TileCodes.TILE / Avx2TileLoad.LANES;
  private static final int VALUE = 12;
  private static final int ONE = 14;
  private static final int ONES = 2;

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
  private final Avx2Assembler code = new Avx2Assembler();

  private Avx2WideValueCode(Shape shape, int queries) {
    this.shape = shape;
    this.queries = queries;
    weightStride = WideValueCode.weightStride(shape);
  }

  /// @param queries of a block
  static byte[] of(Shape shape, int queries) {
    Avx2WideValueCode values = new Avx2WideValueCode(shape, queries);
    values.write();
    return values.code.code();
  }

  /// The function that multiplies weights with scales.
  static byte[] fold(Shape shape) {
    Avx2WideValueCode values = new Avx2WideValueCode(shape, 0);
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
    for (int channel = 0; channel < shape.dim(); channel += TileCodes.TILE) {
      channels(channel);
    }
    code.add(WEIGHTS, queries * weightStride);
    code.add(ACC, queries * shape.dim() * Float.BYTES);
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    code.vzeroupper();
    code.ret();
  }

  /// Sixteen channels of all rows.
  private void channels(int channel) {
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < VECTORS; v++) {
        code.loadFloats(sum(q, v), sumAt(channel, q, v));
      }
    }
    code.move(ROW, VALUES);
    code.move(WEIGHT, WEIGHTS);
    code.move(LEFT, ROWS);
    Label row = code.here();
    int group = shape.group() == 0 ? 0 : channel / shape.group();
    for (int v = 0; v < VECTORS; v++) {
      code.loadFloats(VALUE + v, Memory.at(ROW, channel * Float.BYTES + v * VECTOR));
    }
    for (int q = 0; q < queries; q++) {
      int one = ONE + q % ONES;
      int at = q * weightStride + group * WideCall.TOKENS * Float.BYTES;
      code.broadcast(one, Memory.at(WEIGHT, at));
      for (int v = 0; v < VECTORS; v++) {
        code.multiplyAdd(sum(q, v), one, VALUE + v);
      }
    }
    code.add(ROW, shape.dim() * Float.BYTES);
    code.add(WEIGHT, Float.BYTES);
    code.subtract(LEFT, 1);
    code.jumpIfNotZero(row);
    for (int q = 0; q < queries; q++) {
      for (int v = 0; v < VECTORS; v++) {
        code.storeFloats(sumAt(channel, q, v), sum(q, v));
      }
    }
  }

  private void writeFold() {
    int vectors = WideCall.TOKENS / Avx2TileLoad.LANES;
    code.load(RSI, Memory.at(RDI, WideCall.SCORES));
    code.load(RDX, Memory.at(RDI, WideCall.FOLDED));
    code.load(R8, Memory.at(RDI, WideCall.SCALES));
    code.load(RCX, Memory.at(RDI, WideCall.BLOCKS));
    Label query = code.here();
    for (int i = 0; i < vectors; i++) {
      code.loadFloats(i, Memory.at(RSI, i * VECTOR));
    }
    for (int g = 0; g < shape.groups(); g++) {
      for (int i = 0; i < vectors; i++) {
        // Scales stand by tiles of two vectors.
        int scale = (i / VECTORS * shape.groups() + g) * VECTORS + i % VECTORS;
        code.multiply(vectors, i, Memory.at(R8, scale * VECTOR));
        code.storeFloats(Memory.at(RDX, (g * vectors + i) * VECTOR), vectors);
      }
    }
    code.add(RSI, TileCall.row(1));
    code.add(RDX, weightStride);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(query);
    code.vzeroupper();
    code.ret();
  }

  private static int sum(int query, int v) {
    return query * VECTORS + v;
  }

  private Memory sumAt(int channel, int query, int v) {
    return Memory.at(ACC, (query * shape.dim() + channel) * Float.BYTES + v * VECTOR);
  }
}
