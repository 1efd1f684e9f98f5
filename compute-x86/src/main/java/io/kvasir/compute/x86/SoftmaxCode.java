package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import io.kvasir.compute.x86.Assembler.Label;
import java.util.function.IntConsumer;

/// The function that turns rows of scores into weights `2^(factor (s - max s))`, see
/// [TileCall#exponential], and sums them: sixteen lanes, then halves.
///
/// The largest scores of all rows are found first: what is waited for is that of one row otherwise.
final class SoftmaxCode {
  private static final int VECTOR = 64;

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

  private static final Register SCORES = RSI;
  private static final Register ROWS = R8;

  /// The argument, as many floats further as rows were done.
  private static final Register RESULTS = R9;

  private static final Register AT = RDX;
  private static final Register VECTORS = RCX;

  private final Assembler code = new Assembler();

  /// Vectors of a row that are written out one after the other; 0 for a loop.
  private final int vectors;

  private SoftmaxCode(int vectors) {
    this.vectors = vectors;
  }

  /// @param vectors of each row; 0 for any number. A loop's end would be guessed wrong each time.
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
    rows(this::largest);
    rows(this::weights);
    code.vzeroupper();
    code.ret();
  }

  private void rows(Runnable row) {
    code.load(SCORES, Memory.at(RDI, TileCall.SCORES));
    code.load(ROWS, Memory.at(RDI, TileCall.ROWS));
    code.move(RESULTS, RDI);
    Label next = code.here();
    code.move(AT, SCORES);
    code.load(VECTORS, Memory.at(RDI, TileCall.VECTORS));
    row.run();
    code.add(SCORES, TileCall.row(1));
    code.add(RESULTS, Float.BYTES);
    code.subtract(ROWS, 1);
    code.jumpIfNotZero(next);
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
    each(this::larger);
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
    each(this::weight);
    QuadSum.one(code, TOTAL, B, Memory.at(RESULTS, TileCall.SUM));
  }

  /// All vectors of a row.
  private void each(IntConsumer vector) {
    if (vectors > 0) {
      for (int i = 0; i < vectors; i++) {
        vector.accept(i * VECTOR);
      }
      return;
    }
    Label next = code.here();
    vector.accept(0);
    code.add(AT, VECTOR);
    code.subtract(VECTORS, 1);
    code.jumpIfNotZero(next);
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
