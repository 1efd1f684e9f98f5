package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
import static io.kvasir.compute.x86.Register.R12;
import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R15;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RBP;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

/// The function that multiplies up to six rows of `x` with tiles of four rows of decoded weights.
///
/// A step takes one vector of each row: six by four pairs are ten loads for 24 multiply-adds. `x`
/// is `[vectors, rows]` vectors of [Operands] and a tile of weights `[vectors, 4]`. K is cut into
/// pieces whose part of `x` stays in the L1 cache for all tiles; between pieces the accumulators
/// rest in memory. Beside its work each step asks for a line of the weights that come next, so that
/// reading memory goes on while it computes.
final class PanelCode {
  private static final int OUTPUTS = QuadSum.OUTPUTS;
  private static final int VECTOR = 64;
  private static final int WEIGHTS_REGISTER = 24;
  private static final int X_REGISTER = 28;

  private static final Register X_PIECE = RSI;
  private static final Register X = RDX;
  private static final Register STEPS = RCX;
  private static final Register FREE = RAX;
  private static final Register WEIGHTS = R8;
  private static final Register TILE_BYTES = R9;
  private static final Register TILES = R10;
  private static final Register SUMS = R11;
  private static final Register TABLES = R12;
  private static final Register OUT = R13;
  private static final Register PANEL = R14;
  private static final Register PIECES = R15;
  private static final Register NEXT = RBP;
  private static final Register NEXT_STEP = RBX;

  private final Operands operands;
  private final int rows;
  private final Assembler code = new Assembler();

  private PanelCode(Operands operands, int rows) {
    this.operands = operands;
    this.rows = rows;
  }

  /// The function for `rows` rows of `x` and 1, 2, or 3 and more pieces of K. Its argument is the
  /// address of a [PanelCall]'s fields.
  static byte[] of(Operands operands, int rows, int pieces) {
    PanelCode panel = new PanelCode(operands, rows);
    panel.write(pieces);
    return panel.code.code();
  }

  private void write(int pieces) {
    Register[] saved = {RBX, RBP, R12, R13, R14, R15};
    for (Register register : saved) {
      code.push(register);
    }
    code.load(X_PIECE, Memory.at(RDI, PanelCall.X));
    code.load(PANEL, Memory.at(RDI, PanelCall.PANEL));
    code.load(TILE_BYTES, Memory.at(RDI, PanelCall.TILE_BYTES));
    code.load(TABLES, Memory.at(RDI, PanelCall.TABLES));
    code.load(OUT, Memory.at(RDI, PanelCall.OUT));
    code.load(NEXT, Memory.at(RDI, PanelCall.NEXT));
    code.load(NEXT_STEP, Memory.at(RDI, PanelCall.NEXT_STEP));
    if (pieces > 1) {
      piece(true, false);
    }
    if (pieces > 2) {
      code.load(PIECES, Memory.at(RDI, PanelCall.MIDDLE_PIECES));
      Label middle = code.here();
      piece(false, false);
      code.subtract(PIECES, 1);
      code.jumpIfNotZero(middle);
    }
    piece(pieces == 1, true);
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  /// All tiles over one piece of K.
  private void piece(boolean isFirst, boolean isLast) {
    code.load(TILES, Memory.at(RDI, PanelCall.TILES));
    code.load(SUMS, Memory.at(RDI, PanelCall.SUMS));
    Label tile = code.here();
    code.move(X, X_PIECE);
    code.move(WEIGHTS, PANEL);
    code.load(STEPS, Memory.at(RDI, isLast ? PanelCall.LAST_STEPS : PanelCall.STEPS));
    for (int i = 0; i < rows * OUTPUTS; i++) {
      if (isFirst) {
        code.zero(i);
      } else {
        code.loadFloats(i, Memory.at(SUMS, i * VECTOR));
      }
    }
    Label step = code.here();
    step();
    code.subtract(STEPS, 1);
    code.jumpIfNotZero(step);
    if (isLast) {
      results();
      code.add(OUT, OUTPUTS * Float.BYTES);
    } else {
      for (int i = 0; i < rows * OUTPUTS; i++) {
        code.storeFloats(Memory.at(SUMS, i * VECTOR), i);
      }
    }
    code.add(SUMS, rows * OUTPUTS * VECTOR);
    code.add(PANEL, TILE_BYTES);
    code.subtract(TILES, 1);
    code.jumpIfNotZero(tile);
    code.move(X_PIECE, X);
    code.load(FREE, Memory.at(RDI, PanelCall.TO_NEXT_PIECE));
    code.add(PANEL, FREE);
  }

  private void step() {
    for (int o = 0; o < OUTPUTS; o++) {
      code.loadFloats(WEIGHTS_REGISTER + o, Memory.at(WEIGHTS, o * VECTOR));
    }
    for (int r = 0; r < rows; r++) {
      int x = X_REGISTER + r % 4;
      code.loadFloats(x, Memory.at(X, r * VECTOR));
      for (int o = 0; o < OUTPUTS; o++) {
        operands.multiplyAdd(code, r * OUTPUTS + o, WEIGHTS_REGISTER + o, x);
      }
    }
    code.prefetchSecond(Memory.at(NEXT, 0));
    code.add(NEXT, NEXT_STEP);
    code.add(X, rows * VECTOR);
    code.add(WEIGHTS, OUTPUTS * VECTOR);
  }

  private void results() {
    for (int r = 0; r < rows; r++) {
      Memory to = Memory.at(OUT, r * PanelCall.OUT_STRIDE);
      QuadSum.write(code, r * OUTPUTS, X_REGISTER, TABLES, to);
    }
  }
}
