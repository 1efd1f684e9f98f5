package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Avx2RowCode.shared;
import static io.kvasir.compute.x86.Avx2RowCode.temporary;
import static io.kvasir.compute.x86.RowCode.FREE;
import static io.kvasir.compute.x86.RowCode.TABLES;

import io.kvasir.compute.quant.TensorType;
import org.jspecify.annotations.Nullable;

/// The formats of plain numbers and of blocks of 32 weights, decoded with AVX2. What their bytes
/// are is said in [PlainRows] and [BlockRows].
final class Avx2Rows {
  private static final int WEIGHTS = 32;
  private static final int CODES = 16;

  private Avx2Rows() {}

  /// The format of a type, or null where that has no machine code.
  static @Nullable Avx2RowFormat of(TensorType type) {
    return switch (type) {
      case F32 -> new F32();
      case F16 -> new F16();
      case BF16 -> new Bf16();
      case Q8_0 -> new Q8();
      case Q4_0 -> new Nibbles(18, false);
      case Q4_1 -> new Nibbles(20, true);
      case IQ4_NL -> new Tables(18, Constants.NON_LINEAR_BYTES, 0);
      case MXFP4 -> new Tables(17, Constants.DOUBLED_E2M1_BYTES, Constants.HALF_E8M0);
      case Q5_0 -> new FiveBits(22, false);
      case Q5_1 -> new FiveBits(24, true);
      case Q4_K -> new Avx2SuperBlocks.Q4K();
      case Q5_K -> new Avx2SuperBlocks.Q5K();
      case Q6_K -> new Avx2SuperBlocks.Q6K();
      case IQ4_XS -> new Avx2SuperBlocks.Iq4Xs();
      default -> null;
    };
  }

  /// The float of the half at an address; the address of the float is in `FREE`.
  static Memory half(Avx2Assembler code, Memory at) {
    code.load16(FREE, at);
    return Memory.at(TABLES, FREE, Float.BYTES, 0);
  }

  /// Some constants in all lanes.
  static Memory constant(int at) {
    return Memory.at(TABLES, at);
  }

  /// Plain floats.
  record F32() implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 128;
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.loadFloats(target, rows.weight(output, 64 * vector + 32 * half));
    }
  }

  /// Halves.
  record F16() implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.halvesToFloats(target, rows.weight(output, 32 * vector + 16 * half));
    }
  }

  /// Upper halves of floats.
  record Bf16() implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.unsignedShortsToInts(target, rows.weight(output, 32 * vector + 16 * half));
      code.shiftLeftInts(target, target, 16);
    }
  }

  /// `w = q d`, exact.
  record Q8() implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 34;
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      code.broadcast(temporary(0), half(code, rows.weight(output, 0)));
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.bytesToInts(target, rows.weight(output, 2 + 16 * vector + 8 * half));
      code.intsToFloats(target, target);
      code.multiply(target, target, temporary(0));
    }
  }

  /// Q4_1, `w = q d + m`, rounded once, and Q4_0, `w = q d - 8 d`, which has the bits of `(q - 8)
  /// d`: all of its terms and the difference are exact. Codes become floats rather than names of
  /// entries in a table, for which eight lanes are too few.
  ///
  /// @param blockBytes bytes of a block, of which the codes are the last 16
  /// @param minimum whether an f16 minimum follows the scale
  record Nibbles(int blockBytes, boolean minimum) implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      code.loadFloats(shared(0), constant(Constants.FIFTEENS));
      code.loadFloats(shared(1), constant(Constants.EIGHT));
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      code.broadcast(temporary(0), half(code, rows.weight(output, 0)));
      if (minimum) {
        code.broadcast(temporary(1), half(code, rows.weight(output, 2)));
      } else {
        code.multiply(temporary(1), temporary(0), shared(1));
      }
      for (int half = 0; half < 2; half++) {
        Memory codes = rows.weight(output, blockBytes - CODES + 8 * half);
        code.unsignedBytesToInts(temporary(2 + half), codes);
      }
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      if (vector == 0) {
        code.and(target, temporary(2 + half), shared(0));
      } else {
        code.shiftRightInts(target, temporary(2 + half), 4);
      }
      code.intsToFloats(target, target);
      if (minimum) {
        code.multiplyThenAdd(target, temporary(0), temporary(1));
      } else {
        code.multiplyThenSubtract(target, temporary(0), temporary(1));
      }
    }
  }

  /// `w = table[q] scale`, exact: codes become bytes of a table in one register.
  ///
  /// @param blockBytes bytes of a block, of which the codes are the last 16
  /// @param table where in [Constants] the values are bytes
  /// @param scales where in [Constants] a scale is a float: of a byte, or of a half for 0
  record Tables(int blockBytes, int table, int scales) implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      tables(code, table);
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      if (scales == 0) {
        code.broadcast(temporary(0), half(code, rows.weight(output, 0)));
      } else {
        code.load8(FREE, rows.weight(output, 0));
        code.broadcast(temporary(0), Memory.at(TABLES, FREE, Float.BYTES, scales));
      }
      lookUp(code, rows.weight(output, blockBytes - CODES));
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      scaled(code, vector, half, target);
    }

    static void tables(Avx2Assembler code, int table) {
      code.loadFloats(shared(0), constant(Constants.NIBBLES));
      code.loadFloats(shared(1), constant(table));
    }

    /// The values of the low halves of sixteen bytes to temporary register 2, of the high halves to
    /// 3, as bytes.
    static void lookUp(Avx2Assembler code, Memory codes) {
      code.loadFloats128(temporary(1), codes);
      code.and(temporary(2), temporary(1), shared(0));
      code.shiftRightShorts(temporary(3), temporary(1), 4);
      code.and(temporary(3), temporary(3), shared(0));
      code.shuffleBytes(temporary(2), shared(1), temporary(2));
      code.shuffleBytes(temporary(3), shared(1), temporary(3));
    }

    /// Half of the values of a vector times the scale.
    static void scaled(Avx2Assembler code, int vector, int half, int target) {
      int values = temporary(2 + vector % 2);
      if (half == 0) {
        code.bytesToInts(target, values);
      } else {
        code.shiftRightBytes(target, values, 8);
        code.bytesToInts(target, target);
      }
      code.intsToFloats(target, target);
      code.multiply(target, target, temporary(0));
    }
  }

  /// `w = q d + m`, or `w = q d - 16 d`, rounded once, with a fifth bit of `q` in a word.
  ///
  /// @param blockBytes bytes of a block
  /// @param minimum whether an f16 minimum follows the scale
  record FiveBits(int blockBytes, boolean minimum) implements Avx2RowFormat {
    private static final int WORD = 4;

    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      code.loadFloats(shared(0), constant(Constants.FIFTEENS));
      code.loadFloats(shared(1), constant(Constants.SIXTEENS));
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      code.broadcast(temporary(0), half(code, rows.weight(output, 0)));
      if (minimum) {
        code.broadcast(temporary(1), half(code, rows.weight(output, 2)));
      } else {
        code.multiply(temporary(1), temporary(0), constant(Constants.MINUS_SIXTEEN));
      }
      code.broadcast(temporary(2), rows.weight(output, blockBytes - CODES - WORD));
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.unsignedBytesToInts(target, rows.weight(output, blockBytes - CODES + 8 * half));
      if (vector == 0) {
        code.and(target, target, shared(0));
      } else {
        code.shiftRightInts(target, target, 4);
      }
      Memory bit = constant(Constants.SINGLE_BITS + (2 * vector + half) * 32);
      code.and(temporary(3), temporary(2), bit);
      code.compareEqual(temporary(3), temporary(3), bit);
      code.and(temporary(3), temporary(3), shared(1));
      code.or(target, target, temporary(3));
      code.intsToFloats(target, target);
      code.multiplyThenAdd(target, temporary(0), temporary(1));
    }
  }
}
