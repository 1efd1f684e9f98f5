package io.kvasir.compute.x86;

import io.kvasir.compute.x86.TileCodes.Kind;

/// Brings sixteen codes to a register.
final class TileLoad {
  private TileLoad() {}

  /// Numbers as floats; bytes with nibbles as they are, in integers.
  static void load(Assembler code, Kind kind, int target, Memory at) {
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
      case NIBBLES -> code.unsignedBytesToInts(target, at);
    }
  }
}
