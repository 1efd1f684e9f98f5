package io.kvasir.compute.x86;

/// Writes the instructions of AVX-512 that the kernels use, in the encoding of Intel's manual
/// (Software Developer's Manual, volume 2, section 2.7: EVEX).
///
/// Vector registers are numbers `0 .. 31` of 512 bits, but where a name ends with their width.
/// Operands are in the order of the manual: the target first. Processors without AVX-512 have
/// [Avx2Assembler].
final class Assembler implements GeneralInstructions {
  private static final int MAP_0F = 1;
  private static final int MAP_0F38 = 2;
  private static final int MAP_0F3A = 3;
  private static final int NO_PREFIX = 0;
  private static final int PREFIX_66 = 1;
  private static final int PREFIX_F3 = 2;
  private static final int PREFIX_F2 = 3;

  /// The prefix of instructions on 64-bit elements, which also have the bit W.
  private static final int PREFIX_66_WIDE = 0x81;

  private static final int BITS_128 = 0;
  private static final int BITS_256 = 1;
  private static final int BITS_512 = 2;

  /// As [#BITS_512], for the lanes of mask register 1 only.
  private static final int BITS_512_MASKED = 6;

  /// The same with zero in the other lanes.
  private static final int BITS_512_OR_ZERO = 38;

  private static final int NO_SECOND = 0;

  private final CodeBytes bytes = new CodeBytes();

  @Override
  public CodeBytes bytes() {
    return bytes;
  }

  // ---- vectors ---------------------------------------------------------------------------------

  /// Sixteen floats, wherever they lie.
  void loadFloats(int target, Memory source) {
    evex(MAP_0F, NO_PREFIX, 0x10, BITS_512, false, target, NO_SECOND, source);
  }

  void storeFloats(Memory target, int source) {
    evex(MAP_0F, NO_PREFIX, 0x11, BITS_512, false, source, NO_SECOND, target);
  }

  /// The four lowest floats.
  void storeFour(Memory target, int source) {
    evex(MAP_0F, NO_PREFIX, 0x11, BITS_128, false, source, NO_SECOND, target);
  }

  /// The lowest float.
  void storeFloat(Memory target, int source) {
    evex(MAP_0F, PREFIX_F3, 0x11, BITS_128, false, source, NO_SECOND, target);
  }

  /// One float in all lanes.
  void broadcast(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x18, BITS_512, false, target, NO_SECOND, source);
  }

  /// Sixteen signed bytes as integers.
  void bytesToInts(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x21, BITS_512, false, target, NO_SECOND, source);
  }

  /// Sixteen unsigned bytes as integers.
  void unsignedBytesToInts(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x31, BITS_512, false, target, NO_SECOND, source);
  }

  /// The sixteen bytes of a register's lowest quarter as integers.
  void unsignedBytesToInts(int target, int source) {
    evex(MAP_0F38, PREFIX_66, 0x31, BITS_512, false, target, NO_SECOND, source);
  }

  /// Sixteen unsigned 16-bit numbers as integers.
  void unsignedShortsToInts(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x33, BITS_512, false, target, NO_SECOND, source);
  }

  /// Sixteen halves as floats.
  void halvesToFloats(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x13, BITS_512, false, target, NO_SECOND, source);
  }

  void intsToFloats(int target, int source) {
    evex(MAP_0F, NO_PREFIX, 0x5b, BITS_512, false, target, NO_SECOND, source);
  }

  void multiply(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x59, BITS_512, false, target, a, b);
  }

  void add(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x58, BITS_512, false, target, a, b);
  }

  void add256(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x58, BITS_256, false, target, a, b);
  }

  void add128(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x58, BITS_128, false, target, a, b);
  }

  /// `sum += a * b`, rounded once.
  void multiplyAdd(int sum, int a, int b) {
    evex(MAP_0F38, PREFIX_66, 0xb8, BITS_512, false, sum, a, b);
  }

  /// `sum += a * b`, rounded once; `b` are sixteen floats in memory.
  void multiplyAdd(int sum, int a, Memory b) {
    evex(MAP_0F38, PREFIX_66, 0xb8, BITS_512, false, sum, a, b);
  }

  /// `sum += a * b`, rounded once; `b` is one float in memory for all lanes.
  void multiplyAddOne(int sum, int a, Memory b) {
    evex(MAP_0F38, PREFIX_66, 0xb8, BITS_512, true, sum, a, b);
  }

  /// `target = target * a + b`, rounded once.
  void multiplyThenAdd(int target, int a, int b) {
    evex(MAP_0F38, PREFIX_66, 0xa8, BITS_512, false, target, a, b);
  }

  /// `target = target * a - b`, rounded once; `b` is one float in memory for all lanes.
  void multiplyThenSubtractOne(int target, int a, Memory b) {
    evex(MAP_0F38, PREFIX_66, 0xaa, BITS_512, true, target, a, b);
  }

  /// `target = a * b` with one float in memory for all lanes.
  void multiplyOne(int target, int a, Memory b) {
    evex(MAP_0F, NO_PREFIX, 0x59, BITS_512, true, target, a, b);
  }

  /// Lane `i` of the target is the lane of `table` that the low four bits of lane `i` of `codes`
  /// name.
  void lookUp(int target, int codes, int table) {
    evex(MAP_0F38, PREFIX_66, 0x16, BITS_512, false, target, codes, table);
  }

  void and(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xdb, BITS_512, false, target, a, b);
  }

  void or(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xeb, BITS_512, false, target, a, b);
  }

  void subtractInts(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xfa, BITS_512, false, target, a, b);
  }

  /// All bits of `target` zero.
  void zero(int target) {
    evex(MAP_0F, PREFIX_66, 0xef, BITS_512, false, target, target, target);
  }

  /// `target |= a & b`.
  void orAnd(int target, int a, int b) {
    evex(MAP_0F3A, PREFIX_66, 0x25, BITS_512, false, target, a, b);
    bytes.int8(0xf8);
  }

  /// Thirty-two bytes twice.
  void loadTwice(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66_WIDE, 0x5b, BITS_512, false, target, NO_SECOND, source);
  }

  void subtractBytes(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xf8, BITS_512, false, target, a, b);
  }

  /// 16-bit lanes shifted to the left, each by a number of its own.
  void shiftLeftShorts(int target, int source, int counts) {
    evex(MAP_0F38, PREFIX_66_WIDE, 0x12, BITS_512, false, target, source, counts);
  }

  /// 16-bit lanes shifted to the right, each by a number of its own, zeros coming in.
  void shiftRightShorts(int target, int source, int counts) {
    evex(MAP_0F38, PREFIX_66_WIDE, 0x10, BITS_512, false, target, source, counts);
  }

  /// `difference = a * b - difference`, rounded once; `b` is one float in memory for all lanes.
  void multiplySubtractOne(int difference, int a, Memory b) {
    evex(MAP_0F38, PREFIX_66, 0xba, BITS_512, true, difference, a, b);
  }

  /// The lowest 64 bits of `target` become `source`, the rest zero.
  void moveToVector(int target, Register source) {
    evex(MAP_0F, PREFIX_66_WIDE, 0x6e, BITS_128, false, target, NO_SECOND, source.number);
  }

  /// Integers shifted to the right, zeros coming in.
  void shiftRightInts(int target, int source, int bits) {
    evex(MAP_0F, PREFIX_66, 0x72, BITS_512, false, 2, target, source);
    bytes.int8(bits);
  }

  /// Integers shifted to the right, each by a number of its own, zeros coming in.
  void shiftRightEach(int target, int source, int counts) {
    evex(MAP_0F38, PREFIX_66, 0x45, BITS_512, false, target, source, counts);
  }

  /// The mask of [#orMasked] becomes the sixteen bits at `source`.
  void loadMask(Memory source) {
    int index = source.index() == null ? 0 : source.index().number;
    bytes.int8(0xc4);
    bytes.int8(0x81 | (~index >> 3 & 1) << 6 | (~source.base().number >> 3 & 1) << 5);
    bytes.int8(0x78);
    bytes.int8(0x90);
    bytes.operand(1, source);
  }

  /// `target = a | b` in the lanes of the mask; the others stay as they are.
  void orMasked(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xeb, BITS_512_MASKED, false, target, a, b);
  }

  /// Integers shifted to the left.
  void shiftLeftInts(int target, int source, int bits) {
    evex(MAP_0F, PREFIX_66, 0x72, BITS_512, false, 6, target, source);
    bytes.int8(bits);
  }

  /// Integers shifted to the right, the sign coming in.
  void shiftRightSigned(int target, int source, int bits) {
    evex(MAP_0F, PREFIX_66, 0x72, BITS_512, false, 4, target, source);
    bytes.int8(bits);
  }

  void xor(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xef, BITS_512, false, target, a, b);
  }

  /// The larger of signed integers.
  void maxInts(int target, int a, int b) {
    evex(MAP_0F38, PREFIX_66, 0x3d, BITS_512, false, target, a, b);
  }

  void subtract(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x5c, BITS_512, false, target, a, b);
  }

  /// `target = a * b`; `b` are sixteen floats in memory.
  void multiply(int target, int a, Memory b) {
    evex(MAP_0F, NO_PREFIX, 0x59, BITS_512, false, target, a, b);
  }

  /// The mask of [#orMasked] becomes the lanes where `a` is not less than `b`, or one of them is no
  /// number.
  void maskNotLess(int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0xc2, BITS_512, false, 1, a, b);
    bytes.int8(5);
  }

  /// `target = a + b` in the lanes of the mask, 0 in the others.
  void addIntsOrZero(int target, int a, int b) {
    evex(MAP_0F, PREFIX_66, 0xfe, BITS_512_OR_ZERO, false, target, a, b);
  }

  /// `target = source`, all bits.
  void copy(int target, int source) {
    evex(MAP_0F, NO_PREFIX, 0x28, BITS_512, false, target, NO_SECOND, source);
  }

  /// Thirty-two floats as bf16, rounded to the nearest even: those of `lower` first. Subnormals
  /// become zero.
  void floatsToBf16(int target, int upper, int lower) {
    evex(MAP_0F38, PREFIX_F2, 0x72, BITS_512, false, target, upper, lower);
  }

  /// As [#floatsToBf16(int, int, int)] with the lower sixteen in memory.
  void floatsToBf16(int target, int upper, Memory lower) {
    evex(MAP_0F38, PREFIX_F2, 0x72, BITS_512, false, target, upper, lower);
  }

  /// Sixteen floats as bf16.
  void floatsToBf16(int target256, int source) {
    evex(MAP_0F38, PREFIX_F3, 0x72, BITS_512, false, target256, NO_SECOND, source);
  }

  /// Lane `i` of `sum` becomes `a[2 i] * b[2 i] + (a[2 i + 1] * b[2 i + 1] + sum[i])`, rounded
  /// twice, of thirty-two bf16 each. Subnormals are zero, whatever the rounding mode says.
  void multiplyAddPairs(int sum, int a, int b) {
    evex(MAP_0F38, PREFIX_F3, 0x52, BITS_512, false, sum, a, b);
  }

  /// As [#multiplyAddPairs(int, int, int)] with `b` in memory.
  void multiplyAddPairs(int sum, int a, Memory b) {
    evex(MAP_0F38, PREFIX_F3, 0x52, BITS_512, false, sum, a, b);
  }

  /// As [#multiplyAddPairs(int, int, int)] with one pair in memory for all lanes.
  void multiplyAddOnePair(int sum, int a, Memory b) {
    evex(MAP_0F38, PREFIX_F3, 0x52, BITS_512, true, sum, a, b);
  }

  /// Lane `i` of 32 words is the word of `table` that the low five bits of word `i` of `codes`
  /// name.
  void lookUpShorts(int target, int codes, int table) {
    evex(MAP_0F38, PREFIX_66_WIDE, 0x8d, BITS_512, false, target, codes, table);
  }

  /// Thirty-two unsigned bytes as 16-bit numbers.
  void unsignedBytesToShorts(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x30, BITS_512, false, target, NO_SECOND, source);
  }

  /// Sixteen bytes in each quarter.
  void loadFourTimes(int target, Memory source) {
    evex(MAP_0F38, PREFIX_66, 0x5a, BITS_512, false, target, NO_SECOND, source);
  }

  /// Byte `i` of a quarter is the byte of the same quarter of `source` that byte `i` of `order`
  /// names, or zero where that is negative.
  void shuffleBytes(int target, int source, int order) {
    evex(MAP_0F38, PREFIX_66, 0x00, BITS_512, false, target, source, order);
  }

  /// 16-bit lanes shifted to the right, zeros coming in.
  void shiftRightAllShorts(int target, int source, int bits) {
    evex(MAP_0F, PREFIX_66, 0x71, BITS_512, false, 2, target, source);
    bytes.int8(bits);
  }

  /// `target = source - n` with the nearest integer `n`, 0 of infinities.
  void fraction(int target, int source) {
    evex(MAP_0F3A, PREFIX_66, 0x56, BITS_512, false, target, NO_SECOND, source);
    bytes.int8(8);
  }

  /// `target = a * 2^floor(b)`.
  void scale(int target, int a, int b) {
    evex(MAP_0F38, PREFIX_66, 0x2c, BITS_512, false, target, a, b);
  }

  /// The larger of floats, `b` where one is no number.
  void max(int target, int a, int b) {
    evex(MAP_0F, NO_PREFIX, 0x5f, BITS_512, false, target, a, b);
  }

  /// The upper eight floats.
  void upperHalf(int target256, int source) {
    evex(MAP_0F3A, PREFIX_66, 0x1b, BITS_512, false, source, NO_SECOND, target256);
    bytes.int8(1);
  }

  /// The upper four of eight floats.
  void upperQuarter(int target128, int source256) {
    evex(MAP_0F3A, PREFIX_66, 0x19, BITS_256, false, source256, NO_SECOND, target128);
    bytes.int8(1);
  }

  /// Lane `i` of four is lane `order >> 2 i & 3` of the source.
  void shuffle128(int target, int source, int order) {
    evex(MAP_0F, NO_PREFIX, 0xc6, BITS_128, false, target, source, source);
    bytes.int8(order);
  }

  /// Quarters of four floats: two of `a` and then two of `b`, by two bits of `order` each.
  void shuffleQuarters(int target, int a, int b, int order) {
    evex(MAP_0F3A, PREFIX_66, 0x23, BITS_512, false, target, a, b);
    bytes.int8(order);
  }

  /// Lane `i` of each four is lane `order >> 2 i & 3` of the same four of the source.
  void shuffleWithinQuarters(int target, int source, int order) {
    evex(MAP_0F3A, PREFIX_66, 0x04, BITS_512, false, target, NO_SECOND, source);
    bytes.int8(order);
  }

  // ---- encoding --------------------------------------------------------------------------------

  private void evex(
      int map, int prefix, int opcode, int length, boolean one, int reg, int second, int rm) {
    prefix(map, prefix, length, one, reg, second, rm >> 3 & 1, rm >> 4 & 1);
    bytes.int8(opcode);
    bytes.int8(0xc0 | (reg & 7) << 3 | rm & 7);
  }

  private void evex(
      int map, int prefix, int opcode, int length, boolean one, int reg, int second, Memory rm) {
    int index = rm.index() == null ? 0 : rm.index().number;
    prefix(map, prefix, length, one, reg, second, rm.base().number >> 3, index >> 3);
    bytes.int8(opcode);
    bytes.operand(reg, rm);
  }

  /// The four bytes before the opcode; registers' upper bits are stored inverted.
  private void prefix(
      int map, int prefix, int length, boolean one, int reg, int second, int b, int x) {
    bytes.int8(0x62);
    bytes.int8((~reg >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | (~reg >> 4 & 1) << 4 | map);
    bytes.int8((~second & 15) << 3 | 4 | prefix);
    bytes.int8(
        (length & 3) << 5
            | length >> 2 & 7
            | length >> 5 << 7
            | (one ? 1 << 4 : 0)
            | (~second >> 4 & 1) << 3);
  }
}
