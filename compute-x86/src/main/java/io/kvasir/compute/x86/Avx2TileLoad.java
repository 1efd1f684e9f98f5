package io.kvasir.compute.x86;

import static io.kvasir.compute.x86.Register.RDI;

import io.kvasir.compute.x86.TileCodes.Kind;

/// Brings eight codes to a register, as [TileLoad] does sixteen.
final class Avx2TileLoad {
  /// Lanes of a register.
  static final int LANES = 8;

  /// Bytes of a register.
  static final int VECTOR = LANES * Float.BYTES;

  // Where [#nibbles] keeps what it needs on the way.
  private static final int INDEX = 12;
  private static final int OTHER = 13;
  private static final int UPPER = 14;

  /// Registers below are free for others beside [#nibbles].
  static final int FREE = INDEX;

  private Avx2TileLoad() {}

  /// Numbers as floats.
  static void load(Avx2Assembler code, Kind kind, int target, Memory at) {
    switch (kind) {
      case F32 -> code.loadFloats(target, at);
      case F16 -> code.halvesToFloats(target, at);
      case BF16 -> {
        code.unsignedShortsToInts(target, at);
        code.shiftLeftInts(target, target, 16);
      }
      case BYTES -> {
        code.bytesToInts(target, at);
        code.intsToFloats(target, target);
      }
      case F16_PAIRS, BF16_PAIRS, NIBBLES ->
          throw new IllegalArgumentException("no eight floats of " + kind);
    }
  }

  /// What eight bytes' lower and upper halves stand for. A register holds eight of the sixteen
  /// levels, so both halves of the table are looked up, and the fourth bit of a code says which
  /// counts.
  ///
  /// @param levels bytes from the argument in [Register#RDI] to the sixteen levels
  static void nibbles(Avx2Assembler code, int lower, int upper, Memory at, int levels) {
    code.unsignedBytesToInts(INDEX, at);
    code.shiftLeftInts(UPPER, INDEX, 28);
    look(code, lower, levels);
    code.shiftLeftInts(UPPER, INDEX, 24);
    code.shiftRightInts(INDEX, INDEX, 4);
    look(code, upper, levels);
  }

  private static void look(Avx2Assembler code, int target, int levels) {
    code.lookUp(target, INDEX, Memory.at(RDI, levels));
    code.lookUp(OTHER, INDEX, Memory.at(RDI, levels + VECTOR));
    code.blendBySign(target, target, OTHER, UPPER);
  }
}
