package io.kvasir.compute.x86;

/// Instructions on the eight tile registers of AMX, and stores to scattered places, in the encoding
/// of Intel's manual (VEX and EVEX).
final class AmxInstructions {
  private static final int NO_PREFIX = 0;
  private static final int PREFIX_66 = 1;
  private static final int PREFIX_F3 = 2;
  private static final int PREFIX_F2 = 3;
  private static final int CONFIGURE = 0x49;
  private static final int LOAD_OR_STORE = 0x4b;
  private static final int MULTIPLY = 0x5c;
  private static final int SCATTER = 0xa2;

  private final Assembler code;

  AmxInstructions(Assembler code) {
    this.code = code;
  }

  /// Sets the tiles' shapes from 64 bytes.
  void configure(Memory from) {
    vex(NO_PREFIX, CONFIGURE, 0, 0, from);
  }

  /// Gives the tile registers up, so that the system need not keep them.
  void release() {
    vex(NO_PREFIX, CONFIGURE, 0, 0, 0);
  }

  /// Rows of a tile, at `base + offset` and then `index` bytes apart.
  void load(int tile, Memory from) {
    vex(PREFIX_F2, LOAD_OR_STORE, tile, 0, from);
  }

  void store(Memory to, int tile) {
    vex(PREFIX_F3, LOAD_OR_STORE, tile, 0, to);
  }

  void zero(int tile) {
    vex(PREFIX_F2, CONFIGURE, tile, 0, 0);
  }

  /// `sum[m][n] += ` over pairs `k` of bf16 of `a[m][k] b[k][n]`: the products of the pairs' first
  /// elements are added to each other in their order, those of the second ones too, and the sum of
  /// both sums to what was there.
  void multiplyAddPairs(int sum, int a, int b) {
    vex(PREFIX_F3, MULTIPLY, sum, b, a);
  }

  /// Stores the lanes of the mask of [Assembler#loadMask], lane `i` at `base + offset +
  /// indices[i]`. The mask is zero afterwards.
  void scatter(Register base, int offset, int indices, int source) {
    code.bytes().int8(0x62);
    code.bytes()
        .int8(
            (~source >> 3 & 1) << 7
                | (~indices >> 3 & 1) << 6
                | (~base.number >> 3 & 1) << 5
                | (~source >> 4 & 1) << 4
                | 2);
    code.bytes().int8(0x7c | PREFIX_66);
    code.bytes().int8(2 << 5 | (~indices >> 4 & 1) << 3 | 1);
    code.bytes().int8(SCATTER);
    code.bytes().int8(0x80 | (source & 7) << 3 | 4);
    code.bytes().int8((indices & 7) << 3 | base.number & 7);
    code.bytes().int32(offset);
  }

  private void vex(int prefix, int opcode, int reg, int second, int rm) {
    code.bytes().int8(0xc4);
    code.bytes().int8(0xe2);
    code.bytes().int8((~second & 15) << 3 | prefix);
    code.bytes().int8(opcode);
    code.bytes().int8(0xc0 | reg << 3 | rm);
  }

  private void vex(int prefix, int opcode, int reg, int second, Memory rm) {
    int index = rm.index() == null ? 0 : rm.index().number;
    code.bytes().int8(0xc4);
    code.bytes().int8(0x80 | (~index >> 3 & 1) << 6 | (~rm.base().number >> 3 & 1) << 5 | 2);
    code.bytes().int8((~second & 15) << 3 | prefix);
    code.bytes().int8(opcode);
    code.bytes().operand(reg, rm);
  }
}
