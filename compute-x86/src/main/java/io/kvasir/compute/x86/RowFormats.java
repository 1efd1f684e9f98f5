package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.RowCode.FREE;
import static io.kvasir.compute.x86.RowCode.FREE_THREE;
import static io.kvasir.compute.x86.RowCode.FREE_TOO;
import static io.kvasir.compute.x86.RowCode.TABLES;

import io.kvasir.compute.quant.TensorType;
import org.jspecify.annotations.Nullable;

/// The number formats that have machine code.
final class RowFormats {
  private RowFormats() {}

  /// The format of a type, or null.
  static @Nullable RowFormat of(TensorType type) {
    return switch (type) {
      case F32 -> new F32();
      case F16 -> new F16();
      case BF16 -> new Bf16();
      case Q8_0 -> new Q8();
      case Q4_0 -> new Q4();
      case Q4_K -> new Q4K();
      case Q6_K -> new Q6K();
      default -> null;
    };
  }

  /// One float of [Constants] for the half at `offset`: the rest of the address is in `FREE`.
  private static Memory half(Assembler code, Memory at) {
    code.load16(FREE, at);
    return Memory.at(TABLES, FREE, Float.BYTES, 0);
  }

  /// Plain floats, two vectors at a time.
  private record F32() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 128;
    }

    @Override
    public int kept() {
      return 0;
    }

    @Override
    public int shared() {
      return 0;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.loadFloats(target, rows.weight(output, 64 * vector));
    }
  }

  /// Halves.
  private record F16() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public int kept() {
      return 0;
    }

    @Override
    public int shared() {
      return 0;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.halvesToFloats(target, rows.weight(output, 32 * vector));
    }
  }

  /// Upper halves of floats.
  private record Bf16() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public int kept() {
      return 0;
    }

    @Override
    public int shared() {
      return 0;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.unsignedShortsToInts(target, rows.weight(output, 32 * vector));
      code.shiftLeftInts(target, target, 16);
    }
  }

  /// `w = q d`: an f16 `d` before 32 signed bytes. The product is exact.
  private record Q8() implements RowFormat {
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
    public int shared() {
      return 0;
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

  /// `w = (q - 8) d`: an f16 `d` before 16 bytes, whose low halves are the first 16 weights. The
  /// sixteen possible weights of a block are one vector, in which codes are looked up.
  private record Q4() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 18;
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
      code.loadFloats(rows.shared(0), Memory.at(TABLES, Constants.CENTRED_CODES));
    }

    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      code.multiplyOne(rows.kept(output, 0), rows.shared(0), half(code, rows.weight(output, 0)));
      code.unsignedBytesToInts(rows.kept(output, 1), rows.weight(output, 2));
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

  /// `w = d sc q - dmin mn` with 6-bit `sc` and `mn` a 32 weights: `d dmin scales[12] qs[128]`, of
  /// 32 bytes of codes the low halves are 32 weights and the high halves the next 32. Only the
  /// subtraction rounds. The sixteen possible weights of 32 are one vector, in which codes are
  /// looked up.
  private record Q4K() implements RowFormat {
    private static final int LOW_SIX = 0x3f3f3f3f;
    private static final int LOW_FOUR = 0x0f0f0f0f;
    private static final int LOW_TWO = 0x03030303;

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

    /// Eight `d sc` and eight `dmin mn` to the scratch memory.
    @Override
    public void begin(Assembler code, RowCode rows, int output) {
      int vector = rows.kept(output, 0);
      sixBits(code, rows, output, 4, 0);
      code.moveToVector(vector, FREE_TOO);
      code.unsignedBytesToInts(vector, vector);
      code.intsToFloats(vector, vector);
      code.multiplyOne(vector, vector, half(code, rows.weight(output, 0)));
      code.storeFloats(rows.scratch(output, 0), vector);
      sixBits(code, rows, output, 8, 4);
      code.moveToVector(vector, FREE_TOO);
      code.unsignedBytesToInts(vector, vector);
      code.intsToFloats(vector, vector);
      code.multiplyOne(vector, vector, half(code, rows.weight(output, 2)));
      code.storeFloats(rows.scratch(output, 64), vector);
    }

    /// Eight 6-bit numbers as bytes, to `FREE_TOO`: four in the low bits of the bytes at `at`, four
    /// whose low halves are halves of the bytes at 12 and whose top bits are those of the first.
    private static void sixBits(Assembler code, RowCode rows, int output, int at, int shift) {
      code.load32(FREE_TOO, rows.weight(output, 12));
      code.load32(FREE, rows.weight(output, at));
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

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      int table = rows.kept(output, 0);
      int part = vector / 2;
      if (vector % 2 == 0) {
        code.broadcast(table, rows.scratch(output, 64 + part * Float.BYTES));
        code.multiplySubtractOne(table, rows.shared(0), rows.scratch(output, part * Float.BYTES));
      }
      code.unsignedBytesToInts(
          target, rows.weight(output, 16 + 32 * (part / 2) + 16 * (vector % 2)));
      if (part % 2 == 1) {
        code.shiftRightInts(target, target, 4);
      }
      code.lookUp(target, target, table);
    }
  }

  /// `w = d sc (q - 32)` with an 8-bit `sc` a 16 weights: `ql[128] qh[64] scales[16] d`. A half of
  /// 128 weights is four planes of 32: planes 0 and 1 are the low halves of 64 bytes of `ql`,
  /// planes 2 and 3 their high halves, and plane `p` has bits `2p` and `2p + 1` of 32 bytes of `qh`
  /// on top.
  ///
  /// A block's codes become bytes first, 64 at a time, and are then read as those of Q8_0 are. The
  /// product is exact.
  private record Q6K() implements RowFormat {
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
    public int kept() {
      return 0;
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
        Constants.SHIFTS_4
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
      code.multiplyOne(low, low, half(code, rows.weight(output, 208)));
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
}
