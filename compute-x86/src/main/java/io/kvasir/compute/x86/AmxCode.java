package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.R13;
import static io.kvasir.compute.x86.Register.R14;
import static io.kvasir.compute.x86.Register.R8;
import static io.kvasir.compute.x86.Register.R9;
import static io.kvasir.compute.x86.Register.RAX;
import static io.kvasir.compute.x86.Register.RBP;
import static io.kvasir.compute.x86.Register.RBX;
import static io.kvasir.compute.x86.Register.RCX;
import static io.kvasir.compute.x86.Register.RDI;
import static io.kvasir.compute.x86.Register.RDX;
import static io.kvasir.compute.x86.Register.RSI;

/// Writes the products of [AmxProducts]: weights are the first factors, sixteen outputs a tile,
/// rows of `x` the second ones, so four accumulators are two by two tiles, or four by one for few
/// rows.
///
/// Accumulators have an output's sums of all rows beside each other; they are stored scattered, so
/// that a row's results of all outputs are.
final class AmxCode {
  private static final int ACCUMULATORS = 4;
  private static final int VECTOR = 64;
  private static final int TILE = AmxProducts.TILE;
  private static final int TILE_BYTES = AmxProducts.TILE_BYTES;
  private static final int STEP_BYTES = AmxProducts.STEP_BYTES;
  private static final int INDICES = 16;

  private final Assembler code;
  private final AmxInstructions tiles;
  private final int rowTiles;
  private final int outTiles;

  /// @param rowTiles tiles of rows of `x`, one or two
  AmxCode(Assembler code, int rowTiles) {
    this.code = code;
    this.rowTiles = rowTiles;
    tiles = new AmxInstructions(code);
    outTiles = ACCUMULATORS / rowTiles;
  }

  // ---- few rows, for RowCode -------------------------------------------------------------------

  /// Before the first piece of K; uses `free` and keeps `RSI`, where `x` is, for [#piece].
  void begin(Register free) {
    code.load(free, Memory.at(RDI, RowCall.AMX));
    tiles.configure(Memory.at(free, AmxCall.SHAPES));
    code.load(RSI, Memory.at(free, AmxCall.X));
    for (int i = 0; i < ACCUMULATORS; i++) {
      tiles.zero(i);
    }
  }

  /// Multiplies a piece of K of some tiles of outputs that have been decoded; uses general
  /// registers of [RowCode] that rows and groups do not need between pieces.
  ///
  /// @param first the first of the tiles
  /// @param x a register for where `x` is
  void piece(int first, Register x) {
    code.load(RAX, Memory.at(RDI, RowCall.AMX));
    code.load(RCX, Memory.at(RAX, AmxCall.CHUNKS));
    code.load(RDX, Memory.at(RAX, AmxCall.X_TILE));
    code.load(R13, Memory.at(RAX, AmxCall.X_STRIDE));
    code.load(RBP, Memory.at(RDI, RowCall.PANEL));
    code.move(x, RSI);
    code.set(RAX, VECTOR);
    Label chunk = code.here();
    tiles.load(ACCUMULATORS, Memory.at(x, R13, 1, 0));
    for (int o = 0; o < AmxProducts.FEW_TILES; o++) {
      int weights = ACCUMULATORS + 1 + o;
      tiles.load(weights, Memory.at(RBP, RAX, 1, o * TILE_BYTES));
      tiles.multiplyAddPairs(first + o, weights, ACCUMULATORS);
    }
    code.add(x, RDX);
    code.add(RBP, AmxProducts.FEW_STEP_BYTES);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(chunk);
  }

  /// Goes on in `x`.
  void nextPiece(Register free) {
    code.load(free, Memory.at(RDI, RowCall.AMX));
    code.load(free, Memory.at(free, AmxCall.X_PIECE));
    code.add(RSI, free);
  }

  /// After the last piece.
  void end() {
    code.load(RAX, Memory.at(RDI, RowCall.AMX));
    code.load(R13, Memory.at(RAX, AmxCall.OUT));
    results(RAX, R13, RCX);
    tiles.release();
  }

  // ---- many rows -------------------------------------------------------------------------------

  /// The function for two tiles of rows of `x`. Its argument is the address of an [AmxCall]'s
  /// fields.
  static byte[] many() {
    AmxCode amx = new AmxCode(new Assembler(), 2);
    amx.write();
    return amx.code.code();
  }

  private void write() {
    Register[] saved = {RBX, RBP, R13, R14};
    for (Register register : saved) {
      code.push(register);
    }
    tiles.configure(Memory.at(RDI, AmxCall.SHAPES));
    code.load(RSI, Memory.at(RDI, AmxCall.PANEL));
    code.load(R13, Memory.at(RDI, AmxCall.OUT));
    code.load(RBP, Memory.at(RDI, AmxCall.NEXT));
    code.load(R14, Memory.at(RDI, AmxCall.NEXT_STEP));
    code.set(RBX, AmxProducts.OUT_TILES / outTiles);
    Label turn = code.here();
    turn();
    code.subtract(RBX, 1);
    code.jumpIfNotZero(turn);
    tiles.release();
    code.vzeroupper();
    for (int i = saved.length - 1; i >= 0; i--) {
      code.pop(saved[i]);
    }
    code.ret();
  }

  /// All of K for some tiles of outputs.
  private void turn() {
    code.move(R8, RSI);
    code.load(R9, Memory.at(RDI, AmxCall.X));
    code.load(RDX, Memory.at(RDI, AmxCall.X_ROWS));
    code.load(RCX, Memory.at(RDI, AmxCall.CHUNKS));
    code.set(RAX, VECTOR);
    code.add(RDX, R9);
    for (int i = 0; i < ACCUMULATORS; i++) {
      tiles.zero(i);
    }
    Label chunk = code.here();
    chunk();
    code.subtract(RCX, 1);
    code.jumpIfNotZero(chunk);
    results(RDI, R13, RCX);
    code.add(RSI, outTiles * TILE_BYTES);
    code.add(R13, outTiles * TILE * Float.BYTES);
  }

  private void chunk() {
    int weights = ACCUMULATORS + rowTiles;
    tiles.load(ACCUMULATORS, Memory.at(R9, RAX, 1, 0));
    tiles.load(ACCUMULATORS + 1, Memory.at(RDX, RAX, 1, 0));
    for (int o = 0; o < outTiles; o++) {
      tiles.load(weights + o, Memory.at(R8, RAX, 1, o * TILE_BYTES));
      for (int r = 0; r < rowTiles; r++) {
        tiles.multiplyAddPairs(o * rowTiles + r, weights + o, ACCUMULATORS + r);
        ahead(o * rowTiles + r);
      }
    }
    for (int i = 0; i < AmxCall.LINES_AHEAD; i++) {
      code.prefetchSecond(Memory.at(RBP, 0));
      code.add(RBP, R14);
    }
    code.add(R9, TILE_BYTES);
    code.add(RDX, TILE_BYTES);
    code.add(R8, STEP_BYTES);
  }

  /// Asks for one of the four tiles that are loaded [AmxCall#STEPS_AHEAD] steps later.
  private void ahead(int tile) {
    Memory from =
        switch (tile) {
          case 0 -> Memory.at(R9, AmxCall.STEPS_AHEAD * TILE_BYTES);
          case 1 -> Memory.at(RDX, AmxCall.STEPS_AHEAD * TILE_BYTES);
          case 2 -> Memory.at(R8, AmxCall.STEPS_AHEAD * STEP_BYTES);
          default -> Memory.at(R8, AmxCall.STEPS_AHEAD * STEP_BYTES + TILE_BYTES);
        };
    for (int line = 0; line < TILE_BYTES; line += VECTOR) {
      code.prefetch(from.plus(line));
    }
  }

  // ---- both ------------------------------------------------------------------------------------

  /// All accumulators to their columns of all their rows.
  ///
  /// @param call has the address of an [AmxCall]'s fields
  /// @param stride is used
  private void results(Register call, Register out, Register stride) {
    code.set(stride, VECTOR);
    code.loadFloats(INDICES, Memory.at(call, AmxCall.INDICES));
    for (int i = 0; i < ACCUMULATORS; i++) {
      int outputs = i / rowTiles * TILE;
      int row = i % rowTiles * TILE;
      int mask = AmxCall.MASKS + i % rowTiles * Long.BYTES;
      tiles.store(Memory.at(call, stride, 1, AmxCall.SCRATCH), i);
      for (int o = 0; o < TILE; o++) {
        code.loadFloats(o, Memory.at(call, AmxCall.SCRATCH + o * VECTOR));
        code.loadMask(Memory.at(call, mask));
        int at = row * AmxCall.OUT_STRIDE + (outputs + o) * Float.BYTES;
        tiles.scatter(out, at, INDICES, o);
      }
    }
  }

  /// The function that spreads the pairs of a row of bf16 over tiles of second factors.
  static byte[] spreading() {
    Assembler code = new Assembler();
    AmxInstructions tiles = new AmxInstructions(code);
    code.load(RSI, Memory.at(RDI, AmxCall.X_ROWS));
    code.load(R8, Memory.at(RDI, AmxCall.X));
    code.load(RDX, Memory.at(RDI, AmxCall.X_TILE));
    code.load(RCX, Memory.at(RDI, AmxCall.CHUNKS));
    code.loadFloats(INDICES, Memory.at(RDI, AmxCall.COLUMNS));
    Label tile = code.here();
    code.loadFloats(0, Memory.at(RSI, 0));
    code.loadMask(Memory.at(RDI, AmxCall.ALL));
    tiles.scatter(R8, 0, INDICES, 0);
    code.add(RSI, VECTOR);
    code.add(R8, RDX);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(tile);
    code.vzeroupper();
    code.ret();
    return code.code();
  }
}
