package io.kvasir.compute.x86;

/// Writes the sums over the lanes of accumulators, as [QuadSum] does, from where two registers of
/// eight lanes have become one: halves of eight, of four and of two lanes are added.
final class Avx2Sum {
  /// Accumulators that are summed together.
  static final int OUTPUTS = QuadSum.OUTPUTS;

  private static final int LOWER_HALVES = 0x20;
  private static final int UPPER_HALVES = 0x31;
  private static final int LOWER_PAIRS = 0b01_00_01_00;
  private static final int UPPER_PAIRS = 0b11_10_11_10;
  private static final int EVEN_LANES = 0b10_00_10_00;
  private static final int ODD_LANES = 0b11_01_11_01;
  private static final int SECOND_LANE = 0b01_01_01_01;

  private Avx2Sum() {}

  /// Four sums as four floats in a row.
  ///
  /// @param first the first of four registers, which are overwritten
  /// @param step from each register to the next
  /// @param free another register
  static void four(Avx2Assembler code, int first, int step, int free, Memory to) {
    int third = first + 2 * step;
    halves(code, first, first + step, free);
    halves(code, third, third + step, free);
    code.shuffle(free, first, third, UPPER_PAIRS);
    code.shuffle(first, first, third, LOWER_PAIRS);
    code.add(first, first, free);
    code.shuffle(free, first, first, ODD_LANES);
    code.shuffle(first, first, first, EVEN_LANES);
    code.add(first, first, free);
    code.upperHalf(free, first);
    code.lowerPairs(first, first, free);
    code.storeFour(to, first);
  }

  /// The sum of one register, which is overwritten.
  static void one(Avx2Assembler code, int register, int free, Memory to) {
    code.upperHalf(free, register);
    code.add128(register, register, free);
    code.shuffleWithinHalves(free, register, UPPER_PAIRS);
    code.add128(register, register, free);
    code.shuffleWithinHalves(free, register, SECOND_LANE);
    code.add128(register, register, free);
    code.storeFloat(to, register);
  }

  private static void halves(Avx2Assembler code, int a, int b, int free) {
    code.shuffleHalves(free, a, b, UPPER_HALVES);
    code.shuffleHalves(a, a, b, LOWER_HALVES);
    code.add(a, a, free);
  }
}
