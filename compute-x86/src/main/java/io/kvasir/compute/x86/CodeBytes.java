package io.kvasir.compute.x86;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The bytes of a function while it is written, and the parts of an instruction that all encodings
/// share: operands, and the prefix REX (Intel's manual, volume 2, sections 2.1 and 2.2).
///
/// Offsets are always written in four bytes, so an instruction's length does not depend on them.
final class CodeBytes {
  private byte[] code = new byte[4096];
  private int size;

  byte[] toArray() {
    return Arrays.copyOf(code, size);
  }

  Label here() {
    return new Label(size);
  }

  void int8(int value) {
    if (size == code.length) {
      code = Arrays.copyOf(code, 2 * size);
    }
    code[size++] = (byte) value;
  }

  void int32(int value) {
    int8(value);
    int8(value >> 8);
    int8(value >> 16);
    int8(value >> 24);
  }

  /// An instruction on a general register, or with an extension of its opcode, and memory.
  void rexed(boolean wide, int reg, Memory rm, int... opcode) {
    int index = rm.index() == null ? 0 : rm.index().number;
    rex(wide, reg, index >> 3, rm.base().number >> 3);
    for (int b : opcode) {
      int8(b);
    }
    operand(reg, rm);
  }

  /// An instruction on two general registers, or with an extension of its opcode and one.
  void rexed(boolean wide, int reg, Register rm, int opcode) {
    rex(wide, reg, 0, rm.number >> 3);
    int8(opcode);
    registers(reg, rm.number);
  }

  private void rex(boolean wide, int reg, int x, int b) {
    int8(0x40 | (wide ? 8 : 0) | reg >> 3 << 2 | x << 1 | b);
  }

  /// Two registers as operands.
  void registers(int reg, int rm) {
    int8(0xc0 | (reg & 7) << 3 | rm & 7);
  }

  /// A register and memory as operands.
  void operand(int reg, Memory rm) {
    @Nullable Register index = rm.index();
    int base = rm.base().number & 7;
    boolean sib = index != null || base == Register.RSP.number;
    int8(0x80 | (reg & 7) << 3 | (sib ? 4 : base));
    if (sib) {
      int scale = Integer.numberOfTrailingZeros(rm.scale());
      int8(scale << 6 | (index == null ? 4 : index.number & 7) << 3 | base);
    }
    int32(rm.offset());
  }
}
