package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
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

/// The function that multiplies groups of weight rows with a few rows of `x`.
///
/// A group is some weight rows at equal distances; each pair of a weight row and a row of `x` has
/// one accumulator of sixteen lanes, which add in the order of [Operands], and a tree over the
/// lanes at the end. Weights are decoded once for all rows of `x`, in registers, and the lines that
/// will be needed soon are asked for early, over the ends of rows.
///
/// `x` is `[vectors, inputs, 16]`, or vectors of 32 bf16, see [Operands]; the sums come out as
/// `[groups, inputs, outputs]`.
final class RowCode {
  /// Bytes between a line that is asked for and the one in use.
  private static final int AHEAD = 1024;

  private static final int LINE = 64;
  private static final int VECTOR = 64;
  private static final int REGISTERS = 32;

  /// Registers that hold decoded weights, at least.
  private static final int VALUES = 4;

  /// Rows of weights as multiples of their distance: the base, an index and its scale.
  private static final Register WEIGHTS = R8;

  private static final Register X = RSI;
  private static final Register BLOCKS = RDX;
  private static final Register GROUPS = R14;
  private static final Register GROUP = R15;
  private static final Register OUT = R13;

  /// Where decoded weights of groups of four go.
  private static final Register PANEL = RBX;

  /// Where [Constants] are.
  static final Register TABLES = R12;

  /// Registers that formats may use inside of a step.
  static final Register FREE = Register.RAX;

  static final Register FREE_TOO = Register.RCX;
  static final Register FREE_THREE = Register.RBP;

  private final RowFormat format;
  private final Operands operands;
  private final int inputs;
  private final int outputs;
  private final int values;
  private final boolean keeps;

  /// Bytes from a vector of decoded weights to the row's next.
  private final int panelStep;

  private final Assembler code = new Assembler();

  private RowCode(
      RowFormat format, Operands operands, int inputs, int outputs, boolean keeps, int panelStep) {
    this.operands = operands;
    this.keeps = keeps;
    this.panelStep = panelStep;
    this.format = format;
    this.inputs = inputs;
    this.outputs = outputs;
    values = inputs <= 1 ? VALUES : Math.max(VALUES, outputs);
    int registers = inputs * outputs + values + 1 + outputs * format.kept() + format.shared();
    if (registers > REGISTERS) {
      throw new IllegalArgumentException(
          "%d by %d pairs need %d registers".formatted(inputs, outputs, registers));
    }
  }

  /// The function for `inputs` rows of `x` and groups of `outputs` rows, at most 8. Its argument is
  /// the address of a [RowCall]'s fields.
  static byte[] of(RowFormat format, Operands operands, int inputs, int outputs) {
    RowCode rows = new RowCode(format, operands, inputs, outputs, false, 0);
    rows.write(rows::groups);
    return rows.code.code();
  }

  /// As [#of] for groups of four rows, whose decoded weights are also written to a panel, as
  /// [PanelCode] reads it. The sums come out as rows `[inputs, PanelProducts.MOST_OUTPUTS]`.
  static byte[] keeping(RowFormat format, Operands operands, int inputs) {
    RowCode rows =
        new RowCode(format, operands, inputs, QuadSum.OUTPUTS, true, QuadSum.OUTPUTS * VECTOR);
    rows.write(rows::groups);
    return rows.code.code();
  }

  /// The function that only decodes: groups of four rows to the tiles of [AmxProducts], one after
  /// the other.
  static byte[] decoding(RowFormat format) {
    RowCode rows = decoder(format, AmxProducts.STEP_BYTES);
    rows.write(rows::groups);
    return rows.code.code();
  }

  private static RowCode decoder(RowFormat format, int panelStep) {
    return new RowCode(format, Operands.BF16, 0, QuadSum.OUTPUTS, true, panelStep);
  }

  /// The function that decodes piece by piece of K to tiles in the L1 cache, and multiplies each
  /// with up to sixteen rows of `x`.
  static byte[] tiles(RowFormat format) {
    RowCode rows = decoder(format, AmxProducts.FEW_STEP_BYTES);
    rows.write(() -> rows.pieces(new AmxCode(rows.code, 1)));
    return rows.code.code();
  }

  private void pieces(AmxCode products) {
    products.begin(FREE);
    Label piece = code.here();
    for (int tile = 0; tile < AmxProducts.OUT_TILES; tile += AmxProducts.FEW_TILES) {
      code.load(GROUPS, Memory.at(RDI, RowCall.GROUPS));
      code.load(PANEL, Memory.at(RDI, RowCall.PANEL));
      groups();
      products.piece(tile, WEIGHTS);
    }
    products.nextPiece(FREE);
    code.load(FREE, Memory.at(RDI, RowCall.TO_NEXT_PIECE));
    code.add(GROUP, FREE);
    code.subtract(Memory.at(RDI, RowCall.PIECES), 1);
    code.jumpIfNotZero(piece);
    products.end();
  }

  // ---- for formats -----------------------------------------------------------------------------

  int inputs() {
    return inputs;
  }

  /// Byte `offset` of the current block of an output's row.
  Memory weight(int output, int offset) {
    return switch (output) {
      case 0 -> Memory.at(WEIGHTS, offset);
      case 1 -> Memory.at(WEIGHTS, R9, 1, offset);
      case 2 -> Memory.at(WEIGHTS, R9, 2, offset);
      case 3 -> Memory.at(WEIGHTS, R10, 1, offset);
      case 4 -> Memory.at(WEIGHTS, R9, 4, offset);
      case 5 -> Memory.at(WEIGHTS, R11, 1, offset);
      case 6 -> Memory.at(WEIGHTS, R10, 2, offset);
      case 7 -> Memory.at(WEIGHTS, RBX, 1, offset);
      default -> throw new IllegalArgumentException("a group has at most 8 rows: " + output);
    };
  }

  /// The `i`-th register that an output keeps.
  int kept(int output, int i) {
    return inputs * outputs + values + 1 + output * format.kept() + i;
  }

  /// The `i`-th register that all rows share.
  int shared(int i) {
    return REGISTERS - 1 - i;
  }

  /// Memory of one output that keeps what registers cannot, [RowCall#SCRATCH] bytes.
  Memory scratch(int output, int offset) {
    return Memory.at(RDI, RowCall.SCRATCH_AT + output * RowCall.SCRATCH + offset);
  }

  // ---- the function ----------------------------------------------------------------------------

  private void write(Runnable body) {
    Register[] saved = {Register.RBX, Register.RBP, R12, R13, R14, R15};
    for (Register register : saved) {
      code.push(register);
    }
    code.load(TABLES, Memory.at(RDI, RowCall.TABLES));
    code.load(GROUP, Memory.at(RDI, RowCall.WEIGHTS));
    code.load(GROUPS, Memory.at(RDI, RowCall.GROUPS));
    code.load(OUT, Memory.at(RDI, RowCall.OUT));
    code.load(R9, Memory.at(RDI, RowCall.STRIDE));
    code.address(R10, Memory.at(R9, R9, 2, 0));
    code.address(R11, Memory.at(R9, R9, 4, 0));
    code.address(RBX, Memory.at(R10, R9, 4, 0));
    if (keeps) {
      code.load(PANEL, Memory.at(RDI, RowCall.PANEL));
    }
    format.prepare(code, this);
    body.run();
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  private void groups() {
    Label group = code.here();
    group();
    if (inputs > 0) {
      code.add(OUT, (keeps ? outputs : inputs * outputs) * Float.BYTES);
    }
    code.load(FREE, Memory.at(RDI, RowCall.GROUP_STEP));
    code.add(GROUP, FREE);
    code.subtract(GROUPS, 1);
    code.jumpIfNotZero(group);
  }

  private void group() {
    code.move(WEIGHTS, GROUP);
    if (inputs > 0) {
      code.load(X, Memory.at(RDI, RowCall.X));
    }
    code.load(BLOCKS, Memory.at(RDI, RowCall.BLOCKS));
    for (int i = 0; i < inputs * outputs; i++) {
      code.zero(i);
    }
    Label block = code.here();
    for (int o = 0; o < outputs; o++) {
      for (int line = 0; line < format.blockBytes(); line += LINE) {
        code.prefetch(weight(o, AHEAD + line));
      }
      format.begin(code, this, o);
    }
    int vectors = format.blockWeights() / operands.lanes();
    for (int v = 0; v < vectors; v++) {
      step(v);
    }
    code.add(WEIGHTS, format.blockBytes());
    if (inputs > 0) {
      code.add(X, vectors * inputs * VECTOR);
    }
    if (keeps) {
      code.add(PANEL, vectors * panelStep);
    }
    code.subtract(BLOCKS, 1);
    code.jumpIfNotZero(block);
    if (inputs == 0) {
      code.load(FREE, Memory.at(RDI, RowCall.PANEL_STEP));
      code.add(PANEL, FREE);
    } else {
      sums();
    }
  }

  private void sums() {
    if (outputs % QuadSum.OUTPUTS != 0) {
      for (int i = 0; i < inputs * outputs; i++) {
        QuadSum.one(code, i, value(0), Memory.at(OUT, i * Float.BYTES));
      }
      return;
    }
    int stride = keeps ? PanelCall.OUT_STRIDE : outputs * Float.BYTES;
    for (int r = 0; r < inputs; r++) {
      for (int o = 0; o < outputs; o += QuadSum.OUTPUTS) {
        Memory to = Memory.at(OUT, r * stride + o * Float.BYTES);
        QuadSum.write(code, r * outputs + o, value(0), TABLES, to);
      }
    }
  }

  private void step(int vector) {
    int x = free();
    if (inputs == 1 && operands == Operands.BF16) {
      for (int o = 0; o < outputs; o++) {
        format.weights(code, this, o, vector, value(o));
        code.multiplyAddPairs(o, value(o), Memory.at(X, vector * VECTOR));
      }
      return;
    }
    if (inputs == 1) {
      code.loadFloats(x, Memory.at(X, vector * VECTOR));
      for (int o = 0; o < outputs; o++) {
        format.weights(code, this, o, vector, value(o));
        operands.multiplyAdd(code, o, value(o), x);
      }
      return;
    }
    for (int o = 0; o < outputs; o++) {
      format.weights(code, this, o, vector, value(o));
      if (keeps) {
        code.storeFloats(Memory.at(PANEL, vector * panelStep + o * VECTOR), value(o));
      }
    }
    for (int r = 0; r < inputs; r++) {
      code.loadFloats(x, Memory.at(X, (vector * inputs + r) * VECTOR));
      for (int o = 0; o < outputs; o++) {
        operands.multiplyAdd(code, r * outputs + o, value(o), x);
      }
    }
  }

  /// A register that takes vectors of `x`, after weights are decoded.
  int free() {
    return inputs * outputs + values;
  }

  /// The register that takes an output's weights; those of `0 .. 3` are free at a block's start.
  int value(int output) {
    return inputs * outputs + output % values;
  }
}
