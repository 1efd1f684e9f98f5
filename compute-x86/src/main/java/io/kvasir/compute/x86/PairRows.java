package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.RowCode.TABLES;

/// Formats that become bf16 without becoming floats first, with the bits of [RoundedRows].
final class PairRows {
  private PairRows() {}

  /// What [#lookUp] needs, in the second and third shared register.
  private static void loadOrder(Assembler code, RowCode rows) {
    code.loadFloats(rows.shared(1), Memory.at(TABLES, Constants.HALVES_OF_SIXTEEN));
    code.loadFloats(rows.shared(2), Memory.at(TABLES, Constants.SHIFTS_0_4));
  }

  /// Thirty-two values that sixteen bytes of codes name, low halves first.
  private static void lookUp(Assembler code, RowCode rows, Memory codes, int target, int values) {
    code.loadFourTimes(target, codes);
    code.shuffleBytes(target, target, rows.shared(1));
    code.shiftRightShorts(target, target, rows.shared(2));
    code.lookUpShorts(target, target, values);
  }

  /// Upper halves of floats, as they are.
  record Bf16() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.loadFloats(target, rows.weight(output, 64 * vector));
    }
  }

  /// 4-bit codes whose sixteen values are rounded once a block, and are then looked up 32 at a
  /// time. The values stand twice in a vector: of five bits of an index the first is not a code's.
  ///
  /// @param floats how the values are made
  record Nibbles(BlockRows.Nibbles floats) implements FormatOver {
    @Override
    public int kept() {
      return 1;
    }

    @Override
    public int shared() {
      return 3;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      floats.prepare(code, rows);
      loadOrder(code, rows);
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      int values = rows.kept(output, 0);
      floats.values(code, rows, output, values);
      code.floatsToBf16(values, values, values);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      lookUp(code, rows, floats.codes(rows, output), target, rows.kept(output, 0));
    }
  }

  /// As [SuperBlockRows.Q4K], values rounded once for 32 weights.
  record Q4K(SuperBlockRows.Q4K floats) implements FormatOver {
    @Override
    public int kept() {
      return 1;
    }

    @Override
    public int shared() {
      return 1;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int values = rows.kept(output, 0);
      floats.values(code, rows, output, vector, values);
      code.floatsToBf16(values, values, values);
      code.unsignedBytesToShorts(target, rows.weight(output, 16 + 32 * (vector / 2)));
      if (vector % 2 == 1) {
        code.shiftRightAllShorts(target, target, 4);
      }
      code.lookUpShorts(target, target, values);
    }
  }

  /// As [SuperBlockRows.Iq4Xs], values rounded once for 32 weights.
  record Iq4Xs(SuperBlockRows.Iq4Xs floats) implements FormatOver {
    @Override
    public int kept() {
      return 1;
    }

    @Override
    public int shared() {
      return 3;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      floats.prepare(code, rows);
      loadOrder(code, rows);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int values = rows.kept(output, 0);
      floats.values(code, rows, output, vector, values);
      code.floatsToBf16(values, values, values);
      lookUp(code, rows, floats.codes(rows, output, vector), target, values);
    }
  }
}
