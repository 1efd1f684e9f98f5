package io.kvasir.compute.x86;

import org.jspecify.annotations.Nullable;

/// An operand in memory, at `base + index * scale + offset`.
///
/// @param index any register but the stack pointer, or null
/// @param scale 1, 2, 4 or 8
/// @param offset bytes
record Memory(Register base, @Nullable Register index, int scale, int offset) {
  Memory {
    if (index == Register.RSP) {
      throw new IllegalArgumentException("the stack pointer cannot be an index");
    }
    if (scale != 1 && scale != 2 && scale != 4 && scale != 8) {
      throw new IllegalArgumentException("no scale of an index: " + scale);
    }
  }

  static Memory at(Register base, int offset) {
    return new Memory(base, null, 1, offset);
  }

  static Memory at(Register base, Register index, int scale, int offset) {
    return new Memory(base, index, scale, offset);
  }

  /// The operand so many bytes further on.
  Memory plus(int bytes) {
    return new Memory(base, index, scale, offset + bytes);
  }
}
