package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R12;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R15;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

/// The function that multiplies groups of weight rows with a few rows of `x`, or decodes them, on
/// processors with AVX2: what [RowCode] is for those with AVX-512, with the same operands, results
/// and bits.
///
/// Each pair of a weight row and a row of `x` has two accumulators, lanes 0 to 7 and 8 to 15. There
/// are eight at most, so that eight registers are left for decoding: one row of `x` meets groups of
/// four weight rows, two meet two, three and four one. The weights of a part of a block are decoded
/// row by row, and `x` comes from the L1 cache with each multiply-add.
final class Avx2RowCode {
  /// Bytes between a line that is asked for and the one in use.
  private static final int AHEAD = 1024;

  private static final int LINE = 64;
  private static final int VECTOR = 64;
  private static final int HALF = 32;
  private static final int ACCUMULATORS = 8;
  private static final int VALUES = ACCUMULATORS;
  private static final int TEMPORARIES = VALUES + 2;
  private static final int SHARED = 14;

  private static final Register WEIGHTS = R8;
  private static final Register X = RSI;
  private static final Register BLOCKS = RDX;
  private static final Register GROUPS = R14;
  private static final Register GROUP = R15;
  private static final Register OUT = R13;
  private static final Register PANEL = RBX;
  private static final Register[] SAVED = {RBX, Register.RBP, R12, R13, R14, R15};

  private final Avx2RowFormat format;
  private final int inputs;
  private final int outputs;
  private final Avx2Assembler code = new Avx2Assembler();

  private Avx2RowCode(Avx2RowFormat format, int inputs, int outputs) {
    if (2 * inputs * outputs > ACCUMULATORS || outputs > Avx2Sum.OUTPUTS) {
      throw new IllegalArgumentException(
          "%d by %d pairs have too many lanes".formatted(inputs, outputs));
    }
    this.format = format;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /// Most weight rows in a group for `inputs` rows of `x`.
  static int outputs(int inputs) {
    return inputs <= 2 ? Avx2Sum.OUTPUTS / inputs : 1;
  }

  /// The function for `inputs` rows of `x` and groups of `outputs` rows. Its argument is the
  /// address of a [RowCall]'s fields.
  static byte[] of(Avx2RowFormat format, int inputs, int outputs) {
    return new Avx2RowCode(format, inputs, outputs).write();
  }

  /// The function that only decodes groups of four rows, to a panel as [Avx2PanelCode] reads it.
  static byte[] decoding(Avx2RowFormat format) {
    return new Avx2RowCode(format, 0, Avx2Sum.OUTPUTS).write();
  }

  // ---- for formats -----------------------------------------------------------------------------

  /// Byte `offset` of the current block of an output's row.
  Memory weight(int output, int offset) {
    return switch (output) {
      case 0 -> Memory.at(WEIGHTS, offset);
      case 1 -> Memory.at(WEIGHTS, R9, 1, offset);
      case 2 -> Memory.at(WEIGHTS, R9, 2, offset);
      case 3 -> Memory.at(WEIGHTS, R10, 1, offset);
      default -> throw new IllegalArgumentException("a group has at most 4 rows: " + output);
    };
  }

  /// The `i`-th of two registers that keep what a format needs in all blocks.
  static int shared(int i) {
    return SHARED + i;
  }

  /// The `i`-th of four registers that keep something of the current part.
  static int temporary(int i) {
    return TEMPORARIES + i;
  }

  /// The `i`-th of two registers that take weights, free elsewhere.
  static int value(int i) {
    return VALUES + i;
  }

  /// Memory of one output that keeps what registers cannot, [RowCall#SCRATCH] bytes.
  static Memory scratch(int output, int offset) {
    return Memory.at(RDI, RowCall.SCRATCH_AT + output * RowCall.SCRATCH + offset);
  }

  // ---- the function ----------------------------------------------------------------------------

  private byte[] write() {
    for (Register register : SAVED) {
      code.push(register);
    }
    code.load(RowCode.TABLES, Memory.at(RDI, RowCall.TABLES));
    code.load(GROUP, Memory.at(RDI, RowCall.WEIGHTS));
    code.load(GROUPS, Memory.at(RDI, RowCall.GROUPS));
    code.load(OUT, Memory.at(RDI, RowCall.OUT));
    code.load(PANEL, Memory.at(RDI, RowCall.PANEL));
    code.load(R9, Memory.at(RDI, RowCall.STRIDE));
    code.address(R10, Memory.at(R9, R9, 2, 0));
    format.prepare(code);
    Label group = code.here();
    group();
    code.load(RowCode.FREE, Memory.at(RDI, RowCall.GROUP_STEP));
    code.add(GROUP, RowCode.FREE);
    code.subtract(GROUPS, 1);
    code.jumpIfNotZero(group);
    code.vzeroupper();
    for (int i = SAVED.length - 1; i >= 0; i--) {
      code.pop(SAVED[i]);
    }
    code.ret();
    return code.code();
  }

  private void group() {
    code.move(WEIGHTS, GROUP);
    code.load(X, Memory.at(RDI, RowCall.X));
    code.load(BLOCKS, Memory.at(RDI, RowCall.BLOCKS));
    for (int i = 0; i < 2 * inputs * outputs; i++) {
      code.zero(i);
    }
    Label block = code.here();
    for (int o = 0; o < outputs; o++) {
      for (int line = 0; line < format.blockBytes(); line += LINE) {
        code.prefetch(weight(o, AHEAD + line));
      }
      format.begin(code, this, o);
    }
    for (int part = 0; part < format.blockWeights() / Avx2RowFormat.PART; part++) {
      for (int o = 0; o < outputs; o++) {
        part(part, o);
      }
    }
    int vectors = format.blockWeights() * Float.BYTES / VECTOR;
    code.add(WEIGHTS, format.blockBytes());
    if (inputs == 0) {
      code.add(PANEL, vectors * outputs * VECTOR);
    } else {
      code.add(X, vectors * inputs * VECTOR);
    }
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    sums();
  }

  private void part(int part, int output) {
    format.part(code, this, output, part);
    for (int i = 0; i < 4; i++) {
      int vector = 2 * part + i / 2;
      int half = i % 2;
      int weights = value(half);
      format.weights(code, this, output, vector, half, weights);
      if (inputs == 0) {
        int at = (vector * outputs + output) * VECTOR + half * HALF;
        code.storeFloats(Memory.at(PANEL, at), weights);
      }
      for (int r = 0; r < inputs; r++) {
        Memory x = Memory.at(X, (vector * inputs + r) * VECTOR + half * HALF);
        code.multiplyAdd(2 * (r * outputs + output) + half, weights, x);
      }
    }
  }

  private void sums() {
    int pairs = inputs * outputs;
    for (int i = 0; i < pairs; i++) {
      code.add(2 * i, 2 * i, 2 * i + 1);
    }
    if (pairs == Avx2Sum.OUTPUTS) {
      Avx2Sum.four(code, 0, 2, VALUES, Memory.at(OUT, 0));
    } else {
      for (int i = 0; i < pairs; i++) {
        Avx2Sum.one(code, 2 * i, VALUES, Memory.at(OUT, i * Float.BYTES));
      }
    }
    code.add(OUT, pairs * Float.BYTES);
  }
}
