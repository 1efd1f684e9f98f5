package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R10;
import static io.kvasir.compute.x86.Register.R11;
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

/// The function that multiplies up to six rows of `x` with tiles of four rows of decoded weights,
/// on processors with AVX2: what [PanelCode] is for those with AVX-512, with the same operands,
/// results and bits.
///
/// Three by four pairs have twelve accumulators of eight lanes. So each tile is gone over four
/// times within a piece of K: for the first and the last three rows, and for lanes 0 to 7 and lanes
/// 8 to 15 of all its vectors, which come from the L2 cache the first time and from the L1 cache
/// then. A step is seven loads for twelve multiply-adds.
final class Avx2PanelCode {
  /// Vectors of K in a piece: six rows of `x` are 12 KiB and a tile of weights 8 KiB.
  static final int PIECE = 32;

  /// Most rows of `x` in a pass.
  private static final int MOST_PASS_ROWS = 3;

  private static final int OUTPUTS = Avx2Sum.OUTPUTS;
  private static final int VECTOR = 64;
  private static final int HALF = 32;
  private static final int X_REGISTER = 12;
  private static final int WEIGHTS_REGISTER = 15;

  private static final Register X_PIECE = RSI;
  private static final Register X = RDX;
  private static final Register STEPS = RCX;
  private static final Register FREE = RAX;
  private static final Register WEIGHTS = R8;
  private static final Register TILE_BYTES = R9;
  private static final Register TILES = R10;
  private static final Register SUMS = R11;
  private static final Register OUT = R13;
  private static final Register PANEL = R14;
  private static final Register PIECES = R15;
  private static final Register NEXT = RBP;
  private static final Register NEXT_STEP = RBX;
  private static final Register[] SAVED = {RBX, RBP, R13, R14, R15};

  private final int rows;
  private final Avx2Assembler code = new Avx2Assembler();

  private Avx2PanelCode(int rows) {
    this.rows = rows;
  }

  /// Lanes `8 half .. 8 half + 7` of some rows of `x`.
  private record Pass(int firstRow, int rows, int half) {
    int pairs() {
      return rows * OUTPUTS;
    }

    /// Where the sums of a pair rest.
    Memory sum(int pair) {
      return Memory.at(SUMS, firstRow * OUTPUTS * VECTOR + (half * pairs() + pair) * HALF);
    }

    /// Floats of a row, of `x` or of weights.
    Memory lanes(Register base, int row) {
      return Memory.at(base, row * VECTOR + half * HALF);
    }

    boolean isFirst() {
      return firstRow == 0 && half == 0;
    }
  }

  /// The function for `rows` rows of `x` and 1, 2, or 3 and more pieces of K. Its argument is the
  /// address of a [PanelCall]'s fields.
  static byte[] of(int rows, int pieces) {
    Avx2PanelCode panel = new Avx2PanelCode(rows);
    panel.write(pieces);
    return panel.code.code();
  }

  private void write(int pieces) {
    for (Register register : SAVED) {
      code.push(register);
    }
    code.load(X_PIECE, Memory.at(RDI, PanelCall.X));
    code.load(PANEL, Memory.at(RDI, PanelCall.PANEL));
    code.load(TILE_BYTES, Memory.at(RDI, PanelCall.TILE_BYTES));
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
    for (int i = SAVED.length - 1; i >= 0; i--) {
      code.pop(SAVED[i]);
    }
    code.ret();
  }

  /// All tiles over one piece of K.
  private void piece(boolean isFirst, boolean isLast) {
    code.load(TILES, Memory.at(RDI, PanelCall.TILES));
    code.load(SUMS, Memory.at(RDI, PanelCall.SUMS));
    Label tile = code.here();
    int groups = (rows + MOST_PASS_ROWS - 1) / MOST_PASS_ROWS;
    for (int i = 0; i < groups; i++) {
      int first = rows * i / groups;
      int count = rows * (i + 1) / groups - first;
      pass(new Pass(first, count, 0), isFirst, isLast);
      pass(new Pass(first, count, 1), isFirst, isLast);
    }
    if (isLast) {
      code.add(OUT, OUTPUTS * Float.BYTES);
    }
    code.add(SUMS, rows * OUTPUTS * VECTOR);
    code.add(PANEL, TILE_BYTES);
    code.subtract(TILES, 1);
    code.jumpIfNotZero(tile);
    code.move(X_PIECE, X);
    code.load(FREE, Memory.at(RDI, PanelCall.TO_NEXT_PIECE));
    code.add(PANEL, FREE);
  }

  /// One pass over a tile. Its sums stay in memory until the next piece, and those of the lower
  /// lanes until the upper ones are there.
  private void pass(Pass pass, boolean isFirst, boolean isLast) {
    code.move(X, X_PIECE);
    code.move(WEIGHTS, PANEL);
    code.load(STEPS, Memory.at(RDI, isLast ? PanelCall.LAST_STEPS : PanelCall.STEPS));
    for (int i = 0; i < pass.pairs(); i++) {
      if (isFirst) {
        code.zero(i);
      } else {
        code.loadFloats(i, pass.sum(i));
      }
    }
    Label step = code.here();
    step(pass);
    code.subtract(STEPS, 1);
    code.jumpIfNotZero(step);
    if (isLast && pass.half == 1) {
      results(pass);
    } else {
      for (int i = 0; i < pass.pairs(); i++) {
        code.storeFloats(pass.sum(i), i);
      }
    }
  }

  private void step(Pass pass) {
    for (int r = 0; r < pass.rows; r++) {
      code.loadFloats(X_REGISTER + r, pass.lanes(X, pass.firstRow + r));
    }
    for (int o = 0; o < OUTPUTS; o++) {
      code.loadFloats(WEIGHTS_REGISTER, pass.lanes(WEIGHTS, o));
      for (int r = 0; r < pass.rows; r++) {
        code.multiplyAdd(r * OUTPUTS + o, WEIGHTS_REGISTER, X_REGISTER + r);
      }
    }
    if (pass.isFirst()) {
      code.prefetchSecond(Memory.at(NEXT, 0));
      code.add(NEXT, NEXT_STEP);
    }
    code.add(X, rows * VECTOR);
    code.add(WEIGHTS, OUTPUTS * VECTOR);
  }

  private void results(Pass upper) {
    Pass lower = new Pass(upper.firstRow, upper.rows, 0);
    for (int i = 0; i < upper.pairs(); i++) {
      code.add(i, i, lower.sum(i));
    }
    for (int r = 0; r < upper.rows; r++) {
      Memory to = Memory.at(OUT, (upper.firstRow + r) * PanelCall.OUT_STRIDE);
      Avx2Sum.four(code, r * OUTPUTS, 1, X_REGISTER, to);
    }
  }
}
