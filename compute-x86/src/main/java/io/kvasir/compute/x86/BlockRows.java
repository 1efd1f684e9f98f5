package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.RowCode.FREE;
import static io.kvasir.compute.x86.RowCode.TABLES;

/// Formats whose blocks are 32 weights with one scale.
final class BlockRows {
  private BlockRows() {}

  /// One float of [Constants] for the half at an address; the address of the float is in `FREE`.
  static Memory half(Assembler code, Memory at) {
    code.load16(FREE, at);
    return Memory.at(TABLES, FREE, Float.BYTES, 0);
  }

  /// `w = q d`: an f16 `d` before 32 signed bytes. The product is exact.
  record Q8() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 34;
    }

    @Override
    public int kept() {
      return 1;
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      code.broadcast(rows.kept(output, 0), half(code, rows.weight(output, 0)));
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.bytesToInts(target, rows.weight(output, 2 + 16 * vector));
      code.intsToFloats(target, target);
      code.multiply(target, target, rows.kept(output, 0));
    }
  }

  /// 32 weights of 16 bytes, whose low halves are the first 16 weights, behind a scale: `w =
  /// table[q] scale + minimum`. The sixteen possible weights of a block are one vector, in which
  /// codes are looked up; the product of scale and table is exact.
  ///
  /// @param blockBytes bytes of a block, of which the codes are the last 16
  /// @param table where in [Constants] the values are
  /// @param scales where in [Constants] a scale is a float: of a byte, or of a half for 0
  /// @param minimum whether an f16 minimum follows the scale
  record Nibbles(int blockBytes, int table, int scales, boolean minimum) implements RowFormat {
    private static final int CODES = 16;

    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int outputsAlone() {
      return 8;
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
      code.loadFloats(rows.shared(0), Memory.at(TABLES, table));
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      values(code, rows, output, rows.kept(output, 0));
      code.unsignedBytesToInts(rows.kept(output, 1), codes(rows, output));
    }

    /// The sixteen values of a block.
    void values(Assembler code, RowCode rows, int output, int values) {
      if (minimum) {
        code.broadcast(values, half(code, rows.weight(output, 2)));
        code.multiplyAddOne(values, rows.shared(0), scale(code, rows.weight(output, 0)));
      } else {
        code.multiplyOne(values, rows.shared(0), scale(code, rows.weight(output, 0)));
      }
    }

    Memory codes(RowCode rows, int output) {
      return rows.weight(output, blockBytes - CODES);
    }

    private Memory scale(Assembler code, Memory at) {
      if (scales == 0) {
        return half(code, at);
      }
      code.load8(FREE, at);
      return Memory.at(TABLES, FREE, Float.BYTES, scales);
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int codes = rows.kept(output, 1);
      if (vector == 1) {
        code.shiftRightInts(codes, codes, 4);
      }
      code.lookUp(target, codes, rows.kept(output, 0));
    }
  }

  /// 32 weights of five bits: a scale, a minimum where there is one, a word with the fifth bit of
  /// each weight, and 16 bytes, whose low halves belong to the first 16 weights. `w = q d + m`, or
  /// `w = (q - 16) d`, rounded once.
  ///
  /// @param blockBytes bytes of a block
  /// @param minimum whether an f16 minimum follows the scale
  record FiveBits(int blockBytes, boolean minimum) implements RowFormat {
    private static final int CODES = 16;
    private static final int WORD = 4;

    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int kept() {
      return 2;
    }

    @Override
    public int shared() {
      return 2;
    }

    @Override
    public void prepare(Assembler code, RowCode rows) {
      code.loadFloats(rows.shared(0), Memory.at(TABLES, Constants.FIFTEENS));
      code.loadFloats(rows.shared(1), Memory.at(TABLES, Constants.SIXTEENS));
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      int scale = rows.kept(output, 0);
      int addend = rows.kept(output, 1);
      code.broadcast(scale, half(code, rows.weight(output, 0)));
      if (minimum) {
        code.broadcast(addend, half(code, rows.weight(output, 2)));
      } else {
        code.multiplyOne(addend, scale, Memory.at(TABLES, Constants.MINUS_SIXTEEN));
      }
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int codes = blockBytes - CODES;
      code.unsignedBytesToInts(target, rows.weight(output, codes));
      if (vector == 1) {
        code.shiftRightInts(target, target, 4);
      } else {
        code.and(target, target, rows.shared(0));
      }
      code.loadMask(rows.weight(output, codes - WORD + 2 * vector));
      code.orMasked(target, target, rows.shared(1));
      code.intsToFloats(target, target);
      code.multiplyThenAdd(target, rows.kept(output, 0), rows.kept(output, 1));
    }
  }
}
