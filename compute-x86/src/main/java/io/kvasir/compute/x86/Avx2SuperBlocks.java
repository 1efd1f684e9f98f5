package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Avx2RowCode.scratch;
import static io.kvasir.compute.x86.Avx2RowCode.shared;
import static io.kvasir.compute.x86.Avx2RowCode.temporary;
import static io.kvasir.compute.x86.Avx2RowCode.value;
import static io.kvasir.compute.x86.Avx2Rows.constant;

/// The formats whose blocks are 256 weights with scales of their own scales, decoded with AVX2.
/// What their bytes are is said in [SuperBlockRows].
final class Avx2SuperBlocks {
  private static final int WEIGHTS = 256;
  private static final int REGISTER = 32;

  /// Parts of a block.
  private static final int PARTS = WEIGHTS / Avx2RowFormat.PART;

  private Avx2SuperBlocks() {}

  /// Eight `d sc` of a block of Q4_K or Q5_K to the scratch memory at `to`, and eight `dmin mn`
  /// behind them.
  private static void scales(Avx2Assembler code, Avx2RowCode rows, int output, int to) {
    for (int i = 0; i < 2; i++) {
      SuperBlockRows.sixBits(code, rows.weight(output, 12), rows.weight(output, 4 + 4 * i), 4 * i);
      code.moveToVector(value(0), RowCode.FREE_TOO);
      code.unsignedBytesToInts(value(0), value(0));
      code.intsToFloats(value(0), value(0));
      code.broadcast(value(1), Avx2Rows.half(code, rows.weight(output, 2 * i)));
      code.multiply(value(0), value(0), value(1));
      code.storeFloats(scratch(output, to + REGISTER * i), value(0));
    }
  }

  /// The scale and the minimum of a part to the first two temporary registers.
  private static void broadcast(Avx2Assembler code, int output, int part, int scales) {
    code.broadcast(temporary(0), scratch(output, scales + Float.BYTES * part));
    code.broadcast(temporary(1), scratch(output, scales + REGISTER + Float.BYTES * part));
  }

  /// `w = d sc q - dmin mn`; only the subtraction rounds.
  record Q4K() implements Avx2RowFormat {
    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 144;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      code.loadFloats(shared(0), constant(Constants.FIFTEENS));
    }

    @Override
    public void begin(Avx2Assembler code, Avx2RowCode rows, int output) {
      scales(code, rows, output, 0);
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      broadcast(code, output, part, 0);
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      int part = vector / 2;
      int at = 16 + 32 * (part / 2) + 16 * (vector % 2) + 8 * half;
      code.unsignedBytesToInts(target, rows.weight(output, at));
      if (part % 2 == 0) {
        code.and(target, target, shared(0));
      } else {
        code.shiftRightInts(target, target, 4);
      }
      code.intsToFloats(target, target);
      code.multiplyThenSubtract(target, temporary(0), temporary(1));
    }
  }

  /// As [Q4K] with a fifth bit of the codes, which become bytes in scratch memory first.
  record Q5K() implements Avx2RowFormat {
    private static final int SCALES = 256;
    private static final int HIGH = 16;
    private static final int CODES = 48;

    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 176;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      code.loadFloats(shared(0), constant(Constants.NIBBLES));
      code.loadFloats(shared(1), constant(Constants.FIFTH_BITS));
    }

    @Override
    public void begin(Avx2Assembler code, Avx2RowCode rows, int output) {
      scales(code, rows, output, SCALES);
      int high = value(0);
      int codes = temporary(0);
      int top = temporary(1);
      code.loadFloats(high, rows.weight(output, HIGH));
      for (int part = 0; part < PARTS; part++) {
        code.loadFloats(codes, rows.weight(output, CODES + 32 * (part / 2)));
        if (part % 2 == 1) {
          code.shiftRightShorts(codes, codes, 4);
        }
        code.and(codes, codes, shared(0));
        if (part < 4) {
          code.shiftLeftShorts(top, high, 4 - part);
        } else {
          code.shiftRightShorts(top, high, part - 4);
        }
        code.and(top, top, shared(1));
        code.or(codes, codes, top);
        code.storeFloats(scratch(output, 32 * part), codes);
      }
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      broadcast(code, output, part, SCALES);
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.unsignedBytesToInts(target, scratch(output, 16 * vector + 8 * half));
      code.intsToFloats(target, target);
      code.multiplyThenSubtract(target, temporary(0), temporary(1));
    }
  }

  /// `w = d sc (q - 32)`, exact. Codes become signed bytes in scratch memory first, 32 at a time.
  record Q6K() implements Avx2RowFormat {
    private static final int SCALES = 256;
    private static final int HIGH = 128;
    private static final int SIGNED_SCALES = 192;
    private static final int SCALE = 208;

    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 210;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      code.loadFloats(shared(0), constant(Constants.NIBBLES));
      code.loadFloats(shared(1), constant(Constants.TOP_BITS));
    }

    @Override
    public void begin(Avx2Assembler code, Avx2RowCode rows, int output) {
      code.broadcast(value(1), Avx2Rows.half(code, rows.weight(output, SCALE)));
      for (int i = 0; i < 2; i++) {
        code.bytesToInts(value(0), rows.weight(output, SIGNED_SCALES + 8 * i));
        code.intsToFloats(value(0), value(0));
        code.multiply(value(0), value(0), value(1));
        code.storeFloats(scratch(output, SCALES + REGISTER * i), value(0));
      }
      for (int half = 0; half < 2; half++) {
        code.loadFloats(value(0), rows.weight(output, HIGH + 32 * half));
        for (int plane = 0; plane < 4; plane++) {
          plane(code, rows, output, half, plane);
        }
      }
    }

    private static void plane(
        Avx2Assembler code, Avx2RowCode rows, int output, int half, int plane) {
      int high = value(0);
      int codes = temporary(0);
      int top = temporary(1);
      code.loadFloats(codes, rows.weight(output, 64 * half + 32 * (plane % 2)));
      if (plane >= 2) {
        code.shiftRightShorts(codes, codes, 4);
      }
      code.and(codes, codes, shared(0));
      if (plane < 2) {
        code.shiftLeftShorts(top, high, 4 - 2 * plane);
      } else {
        code.shiftRightShorts(top, high, 2 * plane - 4);
      }
      code.and(top, top, shared(1));
      code.or(codes, codes, top);
      code.subtractBytes(codes, codes, constant(Constants.HALF_RANGE));
      code.storeFloats(scratch(output, 128 * half + 32 * plane), codes);
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      for (int i = 0; i < 2; i++) {
        code.broadcast(temporary(i), scratch(output, SCALES + Float.BYTES * (2 * part + i)));
      }
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      code.bytesToInts(target, scratch(output, 16 * vector + 8 * half));
      code.intsToFloats(target, target);
      code.multiply(target, target, temporary(vector % 2));
    }
  }

  /// `w = d (sc - 32) table[q]`, exact.
  record Iq4Xs() implements Avx2RowFormat {
    private static final int CODES = 8;

    @Override
    public int blockWeights() {
      return WEIGHTS;
    }

    @Override
    public int blockBytes() {
      return 136;
    }

    @Override
    public void prepare(Avx2Assembler code) {
      Avx2Rows.Tables.tables(code, Constants.NON_LINEAR_BYTES);
    }

    @Override
    public void begin(Avx2Assembler code, Avx2RowCode rows, int output) {
      int low = value(0);
      int high = value(1);
      code.broadcast(low, rows.weight(output, 4));
      code.shiftRightEach(low, low, constant(Constants.NIBBLE_SHIFTS));
      code.and(low, low, constant(Constants.FIFTEENS));
      code.broadcast(high, rows.weight(output, 2));
      code.shiftRightEach(high, high, constant(Constants.PAIR_SHIFTS));
      code.shiftLeftInts(high, high, 4);
      code.and(high, high, constant(Constants.FORTY_EIGHTS));
      code.or(low, low, high);
      code.subtractInts(low, low, constant(Constants.THIRTY_TWOS));
      code.intsToFloats(low, low);
      code.broadcast(high, Avx2Rows.half(code, rows.weight(output, 0)));
      code.multiply(low, low, high);
      code.storeFloats(scratch(output, 0), low);
    }

    @Override
    public void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {
      code.broadcast(temporary(0), scratch(output, Float.BYTES * part));
      Avx2Rows.Tables.lookUp(code, rows.weight(output, CODES + 16 * part));
    }

    @Override
    public void weights(
        Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target) {
      Avx2Rows.Tables.scaled(code, vector, half, target);
    }
  }
}
