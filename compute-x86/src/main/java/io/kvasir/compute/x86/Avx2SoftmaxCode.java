package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.SoftmaxPasses.AT;
import static io.kvasir.compute.x86.SoftmaxPasses.RESULTS;

/// As [SoftmaxCode] in sixteen registers of eight lanes, with the same bits.
///
/// Coefficients of the polynomial that a sum begins with are read from the argument each time.
final class Avx2SoftmaxCode {
  private static final int NOT_LESS = 5;

  // Registers. Those of the first pass are free in the second.
  private static final int SIGN = 0;
  private static final int MOST = 1;
  private static final int ROUND = 0;
  private static final int LEAST = 1;
  private static final int FACTOR = 2;
  private static final int LARGEST = 3;
  private static final int C1 = 4;
  private static final int C3 = 5;
  private static final int C5 = 6;

  /// Sums of the lower eight lanes of sixteen, and of the upper ones behind it.
  private static final int TOTAL = 7;

  private static final int Z = 9;
  private static final int T = 10;
  private static final int F = 11;
  private static final int SQUARE = 12;
  private static final int A = 13;
  private static final int B = 14;
  private static final int C = 15;

  private final Avx2Assembler code = new Avx2Assembler();

  private final SoftmaxPasses passes;

  private Avx2SoftmaxCode(int vectors) {
    passes = new SoftmaxPasses(code, vectors);
  }

  /// @param vectors of sixteen scores of each row; 0 for any number
  static byte[] of(int vectors) {
    Avx2SoftmaxCode softmax = new Avx2SoftmaxCode(vectors);
    softmax.write();
    return softmax.code.code();
  }

  private void write() {
    code.broadcast(SIGN, constant(9));
    passes.rows(this::largest);
    code.broadcast(ROUND, constant(7));
    code.broadcast(LEAST, constant(8));
    code.broadcast(FACTOR, Memory.at(RDI, TileCall.FACTOR));
    code.broadcast(C1, constant(1));
    code.broadcast(C3, constant(3));
    code.broadcast(C5, constant(5));
    passes.rows(this::weights);
    code.vzeroupper();
    code.ret();
  }

  private static Memory constant(int index) {
    return Memory.at(RDI, TileCall.CONSTANTS + index * Float.BYTES);
  }

  /// Floats in the order of integers: those below zero have their other bits inverted.
  private void ordered(int target, int source) {
    code.shiftRightSigned(target, source, 31);
    code.and(target, target, SIGN);
    code.xor(target, target, source);
  }

  private void largest() {
    code.loadFloats(Z, Memory.at(AT, 0));
    ordered(MOST, Z);
    passes.each(this::larger);
    code.upperHalf(B, MOST);
    code.maxInts(MOST, MOST, B);
    code.shuffleWithinHalves(B, MOST, 0b11_10_11_10);
    code.maxInts(MOST, MOST, B);
    code.shuffleWithinHalves(B, MOST, 0b01_01_01_01);
    code.maxInts(MOST, MOST, B);
    ordered(B, MOST);
    code.storeFloat(Memory.at(RESULTS, TileCall.LARGEST), B);
  }

  private void larger(int at) {
    for (int half = 0; half < 2; half++) {
      code.loadFloats(Z, Memory.at(AT, at + half * Avx2TileLoad.VECTOR));
      ordered(B, Z);
      code.maxInts(MOST, MOST, B);
    }
  }

  private void weights() {
    code.broadcast(LARGEST, Memory.at(RESULTS, TileCall.LARGEST));
    code.zero(TOTAL);
    code.zero(TOTAL + 1);
    passes.each(this::weight);
    code.add(TOTAL, TOTAL, TOTAL + 1);
    code.upperHalf(B, TOTAL);
    code.add128(TOTAL, TOTAL, B);
    code.shuffleWithinHalves(B, TOTAL, 0b11_10_11_10);
    code.add128(TOTAL, TOTAL, B);
    code.shuffleWithinHalves(B, TOTAL, 0b01_01_01_01);
    code.add128(TOTAL, TOTAL, B);
    code.storeFloat(Memory.at(RESULTS, TileCall.SUM), TOTAL);
  }

  private void weight(int at) {
    for (int half = 0; half < 2; half++) {
      Memory place = Memory.at(AT, at + half * Avx2TileLoad.VECTOR);
      code.loadFloats(Z, place);
      code.subtract(Z, Z, LARGEST);
      code.multiply(Z, Z, FACTOR);
      exponential();
      code.storeFloats(place, A);
      code.add(TOTAL + half, TOTAL + half, A);
    }
  }

  /// `A = 2^Z`, 0 where it is too small.
  private void exponential() {
    code.add(T, Z, ROUND);
    code.subtract(F, T, ROUND);
    code.subtract(F, Z, F);
    code.compare(Z, Z, LEAST, NOT_LESS);
    code.multiply(SQUARE, F, F);
    code.broadcast(A, constant(0));
    code.multiplyAdd(A, F, C1);
    code.broadcast(B, constant(2));
    code.multiplyAdd(B, F, C3);
    code.multiplyAdd(A, SQUARE, B);
    code.broadcast(C, constant(4));
    code.multiplyAdd(C, F, C5);
    code.broadcast(B, constant(6));
    code.multiplyAdd(C, SQUARE, B);
    code.multiply(SQUARE, SQUARE, SQUARE);
    code.multiplyAdd(A, SQUARE, C);
    code.shiftLeftInts(T, T, 23);
    code.addInts(A, A, T);
    code.and(A, A, Z);
  }
}
