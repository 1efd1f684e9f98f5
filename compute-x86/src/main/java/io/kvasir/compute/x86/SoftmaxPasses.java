package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

import java.util.function.IntConsumer;

/// Passes over rows of scores, of which [SoftmaxCode], [Avx2SoftmaxCode] and [RoughSoftmaxCode]
/// have two each.
///
/// @param vectors of a row that are written out one after the other; 0 for a loop over any number,
///   whose end would be guessed wrong each time
record SoftmaxPasses(GeneralInstructions code, int vectors) {
  private static final int VECTOR = 64;
  private static final Register SCORES = RSI;
  private static final Register ROWS = R8;

  /// The argument, as many floats further as rows were done.
  static final Register RESULTS = R9;

  /// Where a row's scores are.
  static final Register AT = RDX;

  private static final Register VECTORS = RCX;

  /// Writes `row` for all rows.
  void rows(Runnable row) {
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

  /// Writes `vector` for all vectors of a row, each so many bytes behind [#AT].
  void each(IntConsumer vector) {
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
}
