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
      case F16_PAIRS, BF16_PAIRS ->
          throw new IllegalArgumentException("two vectors are needed for pairs of " + kind);
      case NIBBLES -> code.unsignedBytesToInts(target, at);
    }
  }

  /// Numbers of two vectors by turns, as bf16.
  ///
  /// @param free another register
  /// @param order a register with [TileCodes#PAIR_ORDER]
  static void pairs(
      Assembler code, Kind kind, int target, int free, int order, Memory first, Memory second) {
    if (kind == Kind.F16 || kind == Kind.F16_PAIRS) {
      code.halvesToFloats(target, first);
      code.halvesToFloats(free, second);
      code.floatsToBf16(target, free, target);
      code.lookUpShorts(target, order, target);
    } else {
      code.unsignedShortsToInts(target, first);
      code.unsignedShortsToInts(free, second);
      code.shiftLeftInts(free, free, 16);
      code.or(target, target, free);
    }
  }
}
