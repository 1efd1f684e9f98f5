package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.SoftmaxPasses.AT;
import static io.kvasir.compute.x86.SoftmaxPasses.RESULTS;

/// The function that turns rows of scores into weights `2^(factor (s - max s))`, see
/// [TileCall#exponential], and sums them: sixteen lanes, then halves.
///
/// The largest scores of all rows are found first: what is waited for is that of one row otherwise.
final class SoftmaxCode {

  // Registers, from one after the coefficients on.
  private static final int ROUND = 7;
  private static final int LEAST = 8;
  private static final int SIGN = 9;
  private static final int FACTOR = 10;
  private static final int LARGEST = 11;
  private static final int TOTAL = 12;
  private static final int Z = 13;
  private static final int T = 14;
  private static final int F = 15;
  private static final int SQUARE = 16;
  private static final int A = 17;
  private static final int B = 18;
  private static final int C = 19;

  private final Assembler code = new Assembler();

  private final SoftmaxPasses passes;

  private SoftmaxCode(int vectors) {
    passes = new SoftmaxPasses(code, vectors);
  }

  /// @param vectors of each row; 0 for any number
  static byte[] of(int vectors) {
    SoftmaxCode softmax = new SoftmaxCode(vectors);
    softmax.write();
    return softmax.code.code();
  }

  private void write() {
    for (int i = 0; i <= SIGN; i++) {
      code.broadcast(i, Memory.at(RDI, TileCall.CONSTANTS + i * Float.BYTES));
    }
    code.broadcast(FACTOR, Memory.at(RDI, TileCall.FACTOR));
    passes.rows(this::largest);
    passes.rows(this::weights);
    code.vzeroupper();
    code.ret();
  }

  /// Floats in the order of integers: those below zero have their other bits inverted.
  private void ordered(int target, int source) {
    code.shiftRightSigned(target, source, 31);
    code.and(target, target, SIGN);
    code.xor(target, target, source);
  }

  private void largest() {
    code.loadFloats(Z, Memory.at(AT, 0));
    ordered(A, Z);
    passes.each(this::larger);
    code.upperHalf(B, A);
    code.maxInts(A, A, B);
    code.upperQuarter(B, A);
    code.maxInts(A, A, B);
    code.shuffle128(B, A, 0b11_10_11_10);
    code.maxInts(A, A, B);
    code.shuffle128(B, A, 0b01_01_01_01);
    code.maxInts(A, A, B);
    ordered(B, A);
    code.storeFloat(Memory.at(RESULTS, TileCall.LARGEST), B);
  }

  private void weights() {
    code.broadcast(LARGEST, Memory.at(RESULTS, TileCall.LARGEST));
    code.zero(TOTAL);
    passes.each(this::weight);
    QuadSum.one(code, TOTAL, B, Memory.at(RESULTS, TileCall.SUM));
  }

  private void larger(int at) {
    code.loadFloats(Z, Memory.at(AT, at));
    ordered(B, Z);
    code.maxInts(A, A, B);
  }

  private void weight(int at) {
    code.loadFloats(Z, Memory.at(AT, at));
    code.subtract(Z, Z, LARGEST);
    code.multiply(Z, Z, FACTOR);
    code.maskNotLess(Z, LEAST);
    code.add(T, Z, ROUND);
    code.subtract(F, T, ROUND);
    code.subtract(F, Z, F);
    code.multiply(SQUARE, F, F);
    code.copy(A, 0);
    code.multiplyAdd(A, F, 1);
    code.copy(B, 2);
    code.multiplyAdd(B, F, 3);
    code.copy(C, 4);
    code.multiplyAdd(C, F, 5);
    code.multiplyAdd(C, SQUARE, 6);
    code.multiplyAdd(A, SQUARE, B);
    code.multiply(SQUARE, SQUARE, SQUARE);
    code.multiplyAdd(A, SQUARE, C);
    code.shiftLeftInts(T, T, 23);
    code.addIntsOrZero(A, A, T);
    code.storeFloats(Memory.at(AT, at), A);
    code.add(TOTAL, TOTAL, A);
  }
}
