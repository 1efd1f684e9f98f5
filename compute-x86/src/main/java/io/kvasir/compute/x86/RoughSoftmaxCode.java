package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.SoftmaxPasses.AT;
import static io.kvasir.compute.x86.SoftmaxPasses.RESULTS;

/// As [SoftmaxCode] for weights that are rounded to bf16 next: `2^z` is `2^floor(z)` times a
/// polynomial of degree 4 in what is left of `z`, to 3e-6, in half as many instructions. It is 1
/// for the largest score, and 0 where `z` is far below all exponents.
final class RoughSoftmaxCode {
  private static final int TERMS = 4;

  // Registers, from one after the coefficients of degree 1 to 4 on.
  private static final int ONE = 0;
  private static final int FACTOR = 5;
  private static final int LARGEST = 6;
  private static final int TOTAL = 7;
  private static final int Z = 8;
  private static final int F = 9;
  private static final int A = 10;
  private static final int B = 11;

  private final Assembler code = new Assembler();

  private final SoftmaxPasses passes;

  private RoughSoftmaxCode(int vectors) {
    passes = new SoftmaxPasses(code, vectors);
  }

  /// @param vectors of each row; 0 for any number
  static byte[] of(int vectors) {
    RoughSoftmaxCode softmax = new RoughSoftmaxCode(vectors);
    softmax.write();
    return softmax.code.code();
  }

  private void write() {
    code.broadcast(ONE, Memory.at(RDI, TileCall.CONSTANTS));
    for (int i = 0; i < TERMS; i++) {
      code.broadcast(1 + i, Memory.at(RDI, TileCall.ROUGH + i * Float.BYTES));
    }
    code.broadcast(FACTOR, Memory.at(RDI, TileCall.FACTOR));
    passes.rows(this::largest);
    passes.rows(this::weights);
    code.vzeroupper();
    code.ret();
  }

  private void largest() {
    code.loadFloats(A, Memory.at(AT, 0));
    passes.each(this::larger);
    code.upperHalf(B, A);
    code.max(A, A, B);
    code.upperQuarter(B, A);
    code.max(A, A, B);
    code.shuffle128(B, A, 0b11_10_11_10);
    code.max(A, A, B);
    code.shuffle128(B, A, 0b01_01_01_01);
    code.max(A, A, B);
    code.storeFloat(Memory.at(RESULTS, TileCall.LARGEST), A);
  }

  private void weights() {
    code.broadcast(LARGEST, Memory.at(RESULTS, TileCall.LARGEST));
    code.zero(TOTAL);
    passes.each(this::weight);
    QuadSum.one(code, TOTAL, B, Memory.at(RESULTS, TileCall.SUM));
  }

  private void larger(int at) {
    code.loadFloats(Z, Memory.at(AT, at));
    code.max(A, A, Z);
  }

  private void weight(int at) {
    code.loadFloats(Z, Memory.at(AT, at));
    code.subtract(Z, Z, LARGEST);
    code.multiply(Z, Z, FACTOR);
    code.fraction(F, Z);
    code.copy(A, TERMS);
    for (int i = TERMS - 1; i >= 0; i--) {
      code.multiplyThenAdd(A, F, i);
    }
    // What is left: the nearest integer.
    code.subtract(Z, Z, F);
    code.scale(A, A, Z);
    code.storeFloats(Memory.at(AT, at), A);
    code.add(TOTAL, TOTAL, A);
  }
}
