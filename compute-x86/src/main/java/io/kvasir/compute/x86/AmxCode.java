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

import io.kvasir.compute.x86.Assembler.Label;

/// The functions of [AmxProducts]: weights are the first factors, sixteen outputs a tile, rows of
/// `x` the second ones, so four accumulators are two by two tiles, or four by one for few rows.
///
/// Accumulators have an output's sums of all rows beside each other; they are stored scattered, so
/// that a row's results of all outputs are.
final class AmxCode {
  private static final int ACCUMULATORS = 4;
  private static final int VECTOR = 64;
  private static final int TILE = AmxProducts.TILE;
  private static final int TILE_BYTES = AmxProducts.TILE_BYTES;
  private static final int INDICES = 16;

  private static final Register STRIDE = RAX;
  private static final Register CHUNKS = RCX;
  private static final Register TURNS = RBX;
  private static final Register ROW_BYTES = RDX;
  private static final Register PANEL = RSI;
  private static final Register[] WEIGHTS = {R8, R9, R10, R11};
  private static final Register[] INPUTS = {R12, R13};
  private static final Register OUT = R14;
  private static final Register NEXT = RBP;
  private static final Register NEXT_STEP = R15;
  private static final Register[] SAVED = {RBX, RBP, R12, R13, R14, R15};

  private final Assembler code = new Assembler();
  private final AmxInstructions tiles = new AmxInstructions(code);
  private final int rowTiles;
  private final int outTiles;

  private AmxCode(int rowTiles) {
    this.rowTiles = rowTiles;
    outTiles = ACCUMULATORS / rowTiles;
  }

  /// The function for one or two tiles of rows of `x`. Its argument is the address of an
  /// [AmxCall]'s fields.
  static byte[] of(int rowTiles) {
    AmxCode amx = new AmxCode(rowTiles);
    amx.write();
    return amx.code.code();
  }

  private void write() {
    for (Register register : SAVED) {
      code.push(register);
    }
    tiles.configure(Memory.at(RDI, AmxCall.SHAPES));
    code.load(PANEL, Memory.at(RDI, AmxCall.PANEL));
    code.load(ROW_BYTES, Memory.at(RDI, AmxCall.ROW_BYTES));
    code.load(OUT, Memory.at(RDI, AmxCall.OUT));
    code.load(NEXT, Memory.at(RDI, AmxCall.NEXT));
    code.load(NEXT_STEP, Memory.at(RDI, AmxCall.NEXT_STEP));
    code.loadFloats(INDICES, Memory.at(RDI, AmxCall.INDICES));
    code.set(STRIDE, VECTOR);
    code.set(TURNS, AmxProducts.OUT_TILES / outTiles);
    Label turn = code.here();
    turn();
    code.subtract(TURNS, 1);
    code.jumpIfNotZero(turn);
    tiles.release();
    code.vzeroupper();
    for (int i = SAVED.length - 1; i >= 0; i--) {
      code.pop(SAVED[i]);
    }
    code.ret();
  }

  /// All of K for some tiles of outputs.
  private void turn() {
    for (int o = 0; o < outTiles; o++) {
      code.move(WEIGHTS[o], PANEL);
      code.add(PANEL, ROW_BYTES);
    }
    code.load(INPUTS[0], Memory.at(RDI, AmxCall.X));
    if (rowTiles > 1) {
      code.move(INPUTS[1], INPUTS[0]);
      code.add(INPUTS[1], ROW_BYTES);
    }
    code.load(CHUNKS, Memory.at(RDI, AmxCall.CHUNKS));
    for (int i = 0; i < ACCUMULATORS; i++) {
      tiles.zero(i);
    }
    Label chunk = code.here();
    chunk();
    code.subtract(CHUNKS, 1);
    code.jumpIfNotZero(chunk);
    for (int i = 0; i < ACCUMULATORS; i++) {
      results(i);
    }
    code.add(OUT, outTiles * TILE * Float.BYTES);
  }

  private void chunk() {
    for (int r = 0; r < rowTiles; r++) {
      tiles.load(ACCUMULATORS + r, Memory.at(INPUTS[r], STRIDE, 1, 0));
      code.add(INPUTS[r], TILE_BYTES);
    }
    for (int o = 0; o < outTiles; o++) {
      int weights = ACCUMULATORS + rowTiles + o % 2;
      tiles.load(weights, Memory.at(WEIGHTS[o], STRIDE, 1, 0));
      code.add(WEIGHTS[o], TILE_BYTES);
      for (int r = 0; r < rowTiles; r++) {
        tiles.multiplyAddPairs(o * rowTiles + r, weights, ACCUMULATORS + r);
      }
      for (int i = 0; i < AmxCall.LINES_AHEAD / outTiles; i++) {
        code.prefetchSecond(Memory.at(NEXT, 0));
        code.add(NEXT, NEXT_STEP);
      }
    }
  }

  /// One accumulator to its columns of all its rows.
  private void results(int accumulator) {
    int outputs = accumulator / rowTiles * TILE;
    int row = accumulator % rowTiles * TILE;
    int mask = AmxCall.MASKS + accumulator % rowTiles * Long.BYTES;
    tiles.store(Memory.at(RDI, STRIDE, 1, AmxCall.SCRATCH), accumulator);
    for (int o = 0; o < TILE; o++) {
      code.loadFloats(o, Memory.at(RDI, AmxCall.SCRATCH + o * VECTOR));
      code.loadMask(Memory.at(RDI, mask));
      int at = row * AmxCall.OUT_STRIDE + (outputs + o) * Float.BYTES;
      tiles.scatter(OUT, at, INDICES, o);
    }
  }

  /// The function that turns tiles of sixteen rows of `x` into second factors, in their place.
  static byte[] turning() {
    Assembler code = new Assembler();
    AmxInstructions tiles = new AmxInstructions(code);
    code.load(R8, Memory.at(RDI, AmxCall.X));
    code.load(RCX, Memory.at(RDI, AmxCall.CHUNKS));
    code.loadFloats(INDICES, Memory.at(RDI, AmxCall.COLUMNS));
    Label tile = code.here();
    for (int r = 0; r < TILE; r++) {
      code.loadFloats(r, Memory.at(R8, r * VECTOR));
    }
    for (int r = 0; r < TILE; r++) {
      code.loadMask(Memory.at(RDI, AmxCall.ALL));
      tiles.scatter(R8, r * Float.BYTES, INDICES, r);
    }
    code.add(R8, TILE_BYTES);
    code.subtract(RCX, 1);
    code.jumpIfNotZero(tile);
    code.vzeroupper();
    code.ret();
    return code.code();
  }
}
