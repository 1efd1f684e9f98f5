package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.RowCode.FREE;
import static io.kvasir.compute.x86.RowCode.FREE_THREE;
import static io.kvasir.compute.x86.RowCode.FREE_TOO;
import static io.kvasir.compute.x86.RowCode.TABLES;

/// Formats whose blocks are 256 weights with scales of their own scales.
final class SuperBlockRows {
  private static final int LOW_SIX = 0x3f3f3f3f;
  private static final int LOW_FOUR = 0x0f0f0f0f;
  private static final int LOW_TWO = 0x03030303;
  private static final int VECTOR = 64;

  private SuperBlockRows() {}

  /// Eight `d sc` of a block of Q4_K or Q5_K to the scratch memory at `to`, and eight `dmin mn` to
  /// the vector behind them.
  private static void scales(Assembler code, RowCode rows, int output, int vector, int to) {
    sixBits(code, rows.weight(output, 12), rows.weight(output, 4), 0);
    products(code, rows, output, vector, 0, to);
    sixBits(code, rows.weight(output, 12), rows.weight(output, 8), 4);
    products(code, rows, output, vector, 2, to + VECTOR);
  }

  /// The bytes in `FREE_TOO` times the half at `at` of the block.
  private static void products(
      Assembler code, RowCode rows, int output, int vector, int at, int to) {
    code.moveToVector(vector, FREE_TOO);
    code.unsignedBytesToInts(vector, vector);
    code.intsToFloats(vector, vector);
    code.multiplyOne(vector, vector, BlockRows.half(code, rows.weight(output, at)));
    code.storeFloats(rows.scratch(output, to), vector);
  }

  /// Eight 6-bit numbers as bytes, to `FREE_TOO`: four in the low bits of the bytes at `first`,
  /// four whose low halves are halves of the bytes at `lower` and whose top bits are those of the
  /// first.
  static void sixBits(GeneralInstructions code, Memory lower, Memory first, int shift) {
    code.load32(FREE_TOO, lower);
    code.load32(FREE, first);
    if (shift > 0) {
      code.shiftRight32(FREE_TOO, shift);
    }
    code.and32(FREE_TOO, LOW_FOUR);
    code.move32(FREE_THREE, FREE);
    code.shiftRight32(FREE_THREE, 6);
    code.and32(FREE_THREE, LOW_TWO);
    code.shiftLeft(FREE_THREE, 4);
    code.or(FREE_TOO, FREE_THREE);
    code.shiftLeft(FREE_TOO, 32);
    code.and32(FREE, LOW_SIX);
    code.or(FREE_TOO, FREE);
  }

  /// `w = d sc q - dmin mn` with 6-bit `sc` and `mn` a 32 weights: `d dmin scales[12] qs[128]`, of
  /// 32 bytes of codes the low halves are 32 weights and the high halves the next 32. Only the
  /// subtraction rounds. The sixteen possible weights of 32 are one vector, in which codes are
  /// looked up.
  record Q4K() implements RowFormat {
    private static final int SCALES = 0;

    @Override
    public int blockWeights() {
      return 256;
    }

    @Override
    public int blockBytes() {
      return 144;
    }

    @Override
    public int kept() {
      return 1;
    }

    @Override
    public int shared() {
      return 1;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      code.loadFloats(rows.shared(0), Memory.at(TABLES, Constants.CODES));
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      scales(code, rows, output, rows.kept(output, 0), SCALES);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int table = rows.kept(output, 0);
      int part = vector / 2;
      if (vector % 2 == 0) {
        values(code, rows, output, part, table);
      }
      code.unsignedBytesToInts(
          target, rows.weight(output, 16 + 32 * (part / 2) + 16 * (vector % 2)));
      if (part % 2 == 1) {
        code.shiftRightInts(target, target, 4);
      }
      code.lookUp(target, target, table);
    }

    /// The sixteen values of 32 weights.
    void values(Assembler code, RowCode rows, int output, int part, int values) {
      code.broadcast(values, rows.scratch(output, SCALES + VECTOR + part * Float.BYTES));
      code.multiplySubtractOne(
          values, rows.shared(0), rows.scratch(output, SCALES + part * Float.BYTES));
    }
  }

  /// `w = d sc q - dmin mn`: as Q4_K with `qh[32]` before the codes, whose byte `i` has in bit `j`
  /// the fifth bit of weight `32 j + i`. Codes become bytes first, 64 at a time. Only the
  /// subtraction rounds.
  record Q5K() implements RowFormat {
    private static final int SCALES = 256;
    private static final int HIGH = 16;
    private static final int CODES = 48;

    @Override
    public int blockWeights() {
      return 256;
    }

    @Override
    public int blockBytes() {
      return 176;
    }

    @Override
    public int kept() {
      return 1;
    }

    @Override
    public int shared() {
      return 7;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      int[] constants = {
        Constants.SHIFTS_4_3,
        Constants.SHIFTS_2_1,
        Constants.SHIFTS_0_1,
        Constants.SHIFTS_2_3,
        Constants.SHIFTS_0_4,
        Constants.NIBBLES,
        Constants.FIFTH_BITS
      };
      for (int i = 0; i < constants.length; i++) {
        code.loadFloats(rows.shared(i), Memory.at(TABLES, constants[i]));
      }
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      scales(code, rows, output, rows.kept(output, 0), SCALES);
      int codes = rows.value(0);
      int high = rows.value(1);
      int top = rows.value(2);
      code.loadTwice(high, rows.weight(output, HIGH));
      for (int part = 0; part < 4; part++) {
        code.loadTwice(codes, rows.weight(output, CODES + 32 * part));
        code.shiftRightShorts(codes, codes, rows.shared(4));
        code.and(codes, codes, rows.shared(5));
        if (part < 2) {
          code.shiftLeftShorts(top, high, rows.shared(part));
        } else {
          code.shiftRightShorts(top, high, rows.shared(part));
        }
        code.orAnd(codes, top, rows.shared(6));
        code.storeFloats(rows.scratch(output, VECTOR * part), codes);
      }
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int part = vector / 2 * Float.BYTES;
      if (vector % 2 == 0) {
        code.broadcast(rows.kept(output, 0), rows.scratch(output, SCALES + part));
      }
      code.unsignedBytesToInts(target, rows.scratch(output, 16 * vector));
      code.intsToFloats(target, target);
      code.multiplyThenSubtractOne(
          target, rows.kept(output, 0), rows.scratch(output, SCALES + VECTOR + part));
    }
  }

  /// `w = d sc (q - 32)` with an 8-bit `sc` a 16 weights: `ql[128] qh[64] scales[16] d`. A half of
  /// 128 weights is four planes of 32: planes 0 and 1 are the low halves of 64 bytes of `ql`,
  /// planes 2 and 3 their high halves, and plane `p` has bits `2p` and `2p + 1` of 32 bytes of `qh`
  /// on top.
  ///
  /// A block's codes become bytes first, 64 at a time, and are then read as those of Q8_0 are. The
  /// product is exact.
  record Q6K() implements RowFormat {
    private static final int SCALES = 256;

    @Override
    public int blockWeights() {
      return 256;
    }

    @Override
    public int blockBytes() {
      return 210;
    }

    @Override
    public int shared() {
      return 6;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      int[] constants = {
        Constants.NIBBLES,
        Constants.TOP_BITS,
        Constants.HALF_RANGE,
        Constants.SHIFTS_4_2,
        Constants.SHIFTS_0_2,
        Constants.SHIFTS_4_4
      };
      for (int i = 0; i < constants.length; i++) {
        code.loadFloats(rows.shared(i), Memory.at(TABLES, constants[i]));
      }
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      int low = rows.value(0);
      int high = rows.value(1);
      int codes = rows.value(2);
      code.bytesToInts(low, rows.weight(output, 192));
      code.intsToFloats(low, low);
      code.multiplyOne(low, low, BlockRows.half(code, rows.weight(output, 208)));
      code.storeFloats(rows.scratch(output, SCALES), low);
      for (int half = 0; half < 2; half++) {
        code.loadFloats(low, rows.weight(output, 64 * half));
        code.loadTwice(high, rows.weight(output, 128 + 32 * half));
        code.and(codes, low, rows.shared(0));
        planes(code, rows, output, half * 128, codes, low, high);
      }
    }

    private static void planes(
        Assembler code, RowCode rows, int output, int at, int codes, int low, int high) {
      int top = rows.value(3);
      code.shiftLeftShorts(top, high, rows.shared(3));
      code.orAnd(codes, top, rows.shared(1));
      code.subtractBytes(codes, codes, rows.shared(2));
      code.storeFloats(rows.scratch(output, at), codes);
      code.shiftRightShorts(codes, low, rows.shared(5));
      code.and(codes, codes, rows.shared(0));
      code.shiftRightShorts(top, high, rows.shared(4));
      code.orAnd(codes, top, rows.shared(1));
      code.subtractBytes(codes, codes, rows.shared(2));
      code.storeFloats(rows.scratch(output, at + 64), codes);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.bytesToInts(target, rows.scratch(output, 16 * vector));
      code.intsToFloats(target, target);
      code.multiplyOne(target, target, rows.scratch(output, SCALES + vector * Float.BYTES));
    }
  }

  /// `w = d (sc - 32) table[q]` with a 6-bit `sc` a 32 weights: `d scalesHigh scalesLow[4]
  /// qs[128]`, of each 16 bytes of codes the low halves are 16 weights and the high halves the next
  /// 16. Exact.
  record Iq4Xs() implements RowFormat {
    @Override
    public int blockWeights() {
      return 256;
    }

    @Override
    public int blockBytes() {
      return 136;
    }

    @Override
    public int kept() {
      return 2;
    }

    @Override
    public int shared() {
      return 1;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      code.loadFloats(rows.shared(0), Memory.at(TABLES, Constants.NON_LINEAR));
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      int low = rows.value(0);
      int high = rows.value(1);
      int constant = rows.value(2);
      code.broadcast(low, rows.weight(output, 4));
      code.loadFloats(constant, Memory.at(TABLES, Constants.NIBBLE_SHIFTS));
      code.shiftRightEach(low, low, constant);
      code.loadFloats(constant, Memory.at(TABLES, Constants.FIFTEENS));
      code.and(low, low, constant);
      code.broadcast(high, rows.weight(output, 2));
      code.loadFloats(constant, Memory.at(TABLES, Constants.PAIR_SHIFTS));
      code.shiftRightEach(high, high, constant);
      code.shiftLeftInts(high, high, 4);
      code.loadFloats(constant, Memory.at(TABLES, Constants.FORTY_EIGHTS));
      code.orAnd(low, high, constant);
      code.loadFloats(constant, Memory.at(TABLES, Constants.THIRTY_TWOS));
      code.subtractInts(low, low, constant);
      code.intsToFloats(low, low);
      code.multiplyOne(low, low, BlockRows.half(code, rows.weight(output, 0)));
      code.storeFloats(rows.scratch(output, 0), low);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int codes = rows.kept(output, 1);
      if (vector % 2 == 0) {
        values(code, rows, output, vector / 2, rows.kept(output, 0));
        code.unsignedBytesToInts(codes, codes(rows, output, vector / 2));
      } else {
        code.shiftRightInts(codes, codes, 4);
      }
      code.lookUp(target, codes, rows.kept(output, 0));
    }

    /// The sixteen values of 32 weights.
    void values(Assembler code, RowCode rows, int output, int part, int values) {
      code.multiplyOne(values, rows.shared(0), rows.scratch(output, part * Float.BYTES));
    }

    Memory codes(RowCode rows, int output, int part) {
      return rows.weight(output, 8 + 16 * part);
    }
  }
}
