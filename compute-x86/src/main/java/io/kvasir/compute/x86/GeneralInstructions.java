package io.kvasir.compute.x86;

/// Instructions on general registers and memory, which all x86-64 processors have; the encoders of
/// vector instructions have them too, so that a kernel writes both through one name.
interface GeneralInstructions {
  /// Where instructions are written.
  CodeBytes bytes();

  /// The instructions so far.
  default byte[] code() {
    return bytes().toArray();
  }

  default Label here() {
    return bytes().here();
  }

  /// `target = source`, 64 bits.
  default void load(Register target, Memory source) {
    bytes().rexed(true, target.number, source, 0x8b);
  }

  /// `target = source`, 64 bits.
  default void move(Register target, Register source) {
    bytes().rexed(true, source.number, target, 0x89);
  }

  /// `target = source`, 32 bits; the upper half becomes zero.
  default void load32(Register target, Memory source) {
    bytes().rexed(false, target.number, source, 0x8b);
  }

  /// `target = source`, 16 bits; the rest becomes zero.
  default void load16(Register target, Memory source) {
    bytes().rexed(false, target.number, source, 0x0f, 0xb7);
  }

  /// `target = source`, 8 bits; the rest becomes zero.
  default void load8(Register target, Memory source) {
    bytes().rexed(false, target.number, source, 0x0f, 0xb6);
  }

  /// `target = ` the address of `source`.
  default void address(Register target, Memory source) {
    bytes().rexed(true, target.number, source, 0x8d);
  }

  /// `target += value`.
  default void add(Register target, int value) {
    bytes().rexed(true, 0, target, 0x81);
    bytes().int32(value);
  }

  /// `target += source`.
  default void add(Register target, Register source) {
    bytes().rexed(true, source.number, target, 0x01);
  }

  /// `target &= value`, 32 bits; the upper half becomes zero.
  default void and32(Register target, int value) {
    bytes().rexed(false, 4, target, 0x81);
    bytes().int32(value);
  }

  /// `target = value`, 64 bits; the value is not negative.
  default void set(Register target, int value) {
    bytes().rexed(true, 0, target, 0xc7);
    bytes().int32(value);
  }

  /// `target = source`, 32 bits; the upper half becomes zero.
  default void move32(Register target, Register source) {
    bytes().rexed(false, source.number, target, 0x89);
  }

  /// `target >>>= bits`, 32 bits.
  default void shiftRight32(Register target, int bits) {
    bytes().rexed(false, 5, target, 0xc1);
    bytes().int8(bits);
  }

  /// `target <<= bits`, 64 bits.
  default void shiftLeft(Register target, int bits) {
    bytes().rexed(true, 4, target, 0xc1);
    bytes().int8(bits);
  }

  /// `target |= source`, 64 bits.
  default void or(Register target, Register source) {
    bytes().rexed(true, source.number, target, 0x09);
  }

  /// `target -= value`, which [#jumpIfNotZero] then looks at.
  default void subtract(Register target, int value) {
    bytes().rexed(true, 5, target, 0x81);
    bytes().int32(value);
  }

  /// As [#subtract(Register, int)], 64 bits in memory.
  default void subtract(Memory target, int value) {
    bytes().rexed(true, 5, target, 0x81);
    bytes().int32(value);
  }

  /// Goes to `label` where the last difference was not zero.
  default void jumpIfNotZero(Label label) {
    bytes().int8(0x0f);
    bytes().int8(0x85);
    bytes().int32(label.at() - (here().at() + 4));
  }

  default void push(Register register) {
    if (register.number > 7) {
      bytes().int8(0x41);
    }
    bytes().int8(0x50 + (register.number & 7));
  }

  default void pop(Register register) {
    if (register.number > 7) {
      bytes().int8(0x41);
    }
    bytes().int8(0x58 + (register.number & 7));
  }

  default void ret() {
    bytes().int8(0xc3);
  }

  /// Asks for the line of `source` in all caches.
  default void prefetch(Memory source) {
    bytes().rexed(false, 1, source, 0x0f, 0x18);
  }

  /// Asks for the line of `source` in the second cache and those behind it.
  default void prefetchSecond(Memory source) {
    bytes().rexed(false, 2, source, 0x0f, 0x18);
  }

  /// Leaves the vector unit as other code expects it.
  default void vzeroupper() {
    bytes().int8(0xc5);
    bytes().int8(0xf8);
    bytes().int8(0x77);
  }
}
