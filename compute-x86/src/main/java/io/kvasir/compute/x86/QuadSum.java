package io.kvasir.compute.x86;

/// Writes the sums over the lanes of accumulators: of four, as four floats in a row, or of one.
///
/// The order of additions is that of one accumulator alone: halves of sixteen, of eight, of four
/// and of two lanes. Two accumulators share a vector once they have eight lanes, four once they
/// have four.
final class QuadSum {
  /// Accumulators that are summed together.
  static final int OUTPUTS = 4;

  private static final int LOWER_HALVES = 0b01_00_01_00;
  private static final int UPPER_HALVES = 0b11_10_11_10;
  private static final int EVEN_QUARTERS = 0b10_00_10_00;
  private static final int ODD_QUARTERS = 0b11_01_11_01;
  private static final int OTHER_PAIR = 0b01_00_11_10;
  private static final int OTHER_LANE = 0b10_11_00_01;
  private static final int SECOND_LANE = 0b01_01_01_01;

  private QuadSum() {}

  /// @param first the first of four accumulators in a row, which are overwritten
  /// @param free another register
  /// @param tables where [Constants] are
  static void write(Assembler code, int first, int free, Register tables, Memory to) {
    fold(code, first, first + 1, free, LOWER_HALVES, UPPER_HALVES);
    fold(code, first + 2, first + 3, free, LOWER_HALVES, UPPER_HALVES);
    fold(code, first, first + 2, free, EVEN_QUARTERS, ODD_QUARTERS);
    code.shuffleWithinQuarters(free, first, OTHER_PAIR);
    code.add(first, first, free);
    code.shuffleWithinQuarters(free, first, OTHER_LANE);
    code.add(first, first, free);
    code.loadFloats(free, Memory.at(tables, Constants.QUARTERS));
    code.lookUp(free, free, first);
    code.storeFour(to, free);
  }

  /// The sum over the lanes of one accumulator, which is overwritten, in the same order.
  static void one(Assembler code, int accumulator, int free, Memory to) {
    code.upperHalf(free, accumulator);
    code.add256(accumulator, accumulator, free);
    code.upperQuarter(free, accumulator);
    code.add128(accumulator, accumulator, free);
    code.shuffle128(free, accumulator, UPPER_HALVES);
    code.add128(accumulator, accumulator, free);
    code.shuffle128(free, accumulator, SECOND_LANE);
    code.add128(accumulator, accumulator, free);
    code.storeFloat(to, accumulator);
  }

  private static void fold(Assembler code, int a, int b, int free, int lower, int upper) {
    code.shuffleQuarters(free, a, b, upper);
    code.shuffleQuarters(a, a, b, lower);
    code.add(a, a, free);
  }
}
