package io.kvasir.compute.x86;

/// Writes the instructions of AVX2, FMA and F16C that the kernels use, in the encoding of Intel's
/// manual (Software Developer's Manual, volume 2, section 2.3: VEX, always in its three bytes).
///
/// Vector registers are numbers `0 .. 15` of 256 bits, but where a name ends with their width:
/// eight lanes. Operands are in the order of the manual: the target first.
///
/// Kernels of this width have the bits of those that [Assembler] writes. What is sixteen lanes
/// there is two registers here: lanes 0 to 7 and lanes 8 to 15 of the same vector in memory. Lanes
/// never meet before the tree at the end ([Avx2Sum]), whose first step adds the second register to
/// the first, so a kernel may also go over its operands twice, for one half of the lanes each time.
final class Avx2Assembler implements GeneralInstructions {
  private static final int MAP_0F = 1;
  private static final int MAP_0F38 = 2;
  private static final int MAP_0F3A = 3;
  private static final int NO_PREFIX = 0;
  private static final int PREFIX_66 = 1;
  private static final int PREFIX_F3 = 2;

  /// The bit W: 64-bit elements.
  private static final int WIDE = 0x80;

  private static final int BITS_128 = 0;
  private static final int BITS_256 = 4;
  private static final int NO_SECOND = 0;

  private final CodeBytes bytes = new CodeBytes();

  @Override
  public CodeBytes bytes() {
    return bytes;
  }

  // ---- loads and stores -------------------------------------------------------------------------

  /// Eight floats, wherever they lie.
  void loadFloats(int target, Memory source) {
    vex(MAP_0F, NO_PREFIX, 0x10, BITS_256, target, NO_SECOND, source);
  }

  /// Four floats; the upper lanes become zero.
  void loadFloats128(int target, Memory source) {
    vex(MAP_0F, NO_PREFIX, 0x10, BITS_128, target, NO_SECOND, source);
  }

  /// Two floats, or 64 other bits; the upper lanes become zero.
  void loadTwoFloats(int target, Memory source) {
    vex(MAP_0F, PREFIX_F3, 0x7e, BITS_128, target, NO_SECOND, source);
  }

  /// One float; the upper lanes become zero.
  void loadFloat(int target, Memory source) {
    vex(MAP_0F, PREFIX_F3, 0x10, BITS_128, target, NO_SECOND, source);
  }

  void storeFloats(Memory target, int source) {
    vex(MAP_0F, NO_PREFIX, 0x11, BITS_256, source, NO_SECOND, target);
  }

  /// The four lowest floats.
  void storeFour(Memory target, int source) {
    vex(MAP_0F, NO_PREFIX, 0x11, BITS_128, source, NO_SECOND, target);
  }

  /// The two lowest floats, or 64 other bits.
  void storeTwo(Memory target, int source) {
    vex(MAP_0F, PREFIX_66, 0xd6, BITS_128, source, NO_SECOND, target);
  }

  /// The lowest float.
  void storeFloat(Memory target, int source) {
    vex(MAP_0F, PREFIX_F3, 0x11, BITS_128, source, NO_SECOND, target);
  }

  /// `target = source`, all bits.
  void copy(int target, int source) {
    vex(MAP_0F, NO_PREFIX, 0x28, BITS_256, target, NO_SECOND, source);
  }

  /// One float, or other 32 bits, in all lanes.
  void broadcast(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x18, BITS_256, target, NO_SECOND, source);
  }

  /// The lowest lane in all lanes.
  void broadcast(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x18, BITS_256, target, NO_SECOND, source);
  }

  /// Sixteen bytes in both halves.
  void broadcastFour(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x5a, BITS_256, target, NO_SECOND, source);
  }

  /// The lowest 64 bits of `target` become `source`, the rest zero.
  void moveToVector(int target, Register source) {
    vex(MAP_0F, WIDE | PREFIX_66, 0x6e, BITS_128, target, NO_SECOND, source.number);
  }

  // ---- conversions ------------------------------------------------------------------------------

  /// Eight signed bytes as integers.
  void bytesToInts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x21, BITS_256, target, NO_SECOND, source);
  }

  /// The eight lowest bytes, signed, as integers.
  void bytesToInts(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x21, BITS_256, target, NO_SECOND, source);
  }

  /// Eight unsigned bytes as integers.
  void unsignedBytesToInts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x31, BITS_256, target, NO_SECOND, source);
  }

  /// The eight lowest bytes as integers.
  void unsignedBytesToInts(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x31, BITS_256, target, NO_SECOND, source);
  }

  /// Eight signed 16-bit numbers as integers.
  void shortsToInts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x23, BITS_256, target, NO_SECOND, source);
  }

  /// The eight lowest 16-bit numbers, signed, as integers.
  void shortsToInts(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x23, BITS_256, target, NO_SECOND, source);
  }

  /// Eight unsigned 16-bit numbers as integers.
  void unsignedShortsToInts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x33, BITS_256, target, NO_SECOND, source);
  }

  /// The eight lowest 16-bit numbers as integers.
  void unsignedShortsToInts(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x33, BITS_256, target, NO_SECOND, source);
  }

  /// Sixteen signed bytes as 16-bit numbers.
  void bytesToShorts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x20, BITS_256, target, NO_SECOND, source);
  }

  /// Sixteen unsigned bytes as 16-bit numbers.
  void unsignedBytesToShorts(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x30, BITS_256, target, NO_SECOND, source);
  }

  /// Eight halves as floats.
  void halvesToFloats(int target, Memory source) {
    vex(MAP_0F38, PREFIX_66, 0x13, BITS_256, target, NO_SECOND, source);
  }

  /// The eight lowest halves as floats.
  void halvesToFloats(int target, int source) {
    vex(MAP_0F38, PREFIX_66, 0x13, BITS_256, target, NO_SECOND, source);
  }

  /// Eight floats as halves, rounded to the nearest even.
  void floatsToHalves(Memory target, int source) {
    vex(MAP_0F3A, PREFIX_66, 0x1d, BITS_256, source, NO_SECOND, target);
    bytes.int8(0);
  }

  void intsToFloats(int target, int source) {
    vex(MAP_0F, NO_PREFIX, 0x5b, BITS_256, target, NO_SECOND, source);
  }

  /// Rounded to the nearest even.
  void floatsToInts(int target, int source) {
    vex(MAP_0F, PREFIX_66, 0x5b, BITS_256, target, NO_SECOND, source);
  }

  void floatsToIntsTowardsZero(int target, int source) {
    vex(MAP_0F, PREFIX_F3, 0x5b, BITS_256, target, NO_SECOND, source);
  }

  /// The nearest integers, even ones of two, as floats.
  void round(int target, int source) {
    vex(MAP_0F3A, PREFIX_66, 0x08, BITS_256, target, NO_SECOND, source);
    bytes.int8(8);
  }

  /// The largest integers that are not larger, as floats.
  void floor(int target, int source) {
    vex(MAP_0F3A, PREFIX_66, 0x08, BITS_256, target, NO_SECOND, source);
    bytes.int8(9);
  }

  // ---- floats -----------------------------------------------------------------------------------

  void add(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x58, BITS_256, target, a, b);
  }

  /// As [#add(int, int, int)] with `b` in memory.
  void add(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x58, BITS_256, target, a, b);
  }

  void multiply(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x59, BITS_256, target, a, b);
  }

  /// As [#multiply(int, int, int)] with `b` in memory.
  void multiply(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x59, BITS_256, target, a, b);
  }

  /// `target = a - b`.
  void subtract(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x5c, BITS_256, target, a, b);
  }

  /// As [#subtract(int, int, int)] with `b` in memory.
  void subtract(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x5c, BITS_256, target, a, b);
  }

  /// The smaller of floats, `b` where one is no number.
  void min(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x5d, BITS_256, target, a, b);
  }

  /// As [#min(int, int, int)] with `b` in memory.
  void min(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x5d, BITS_256, target, a, b);
  }

  /// The larger of floats, `b` where one is no number.
  void max(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x5f, BITS_256, target, a, b);
  }

  /// As [#max(int, int, int)] with `b` in memory.
  void max(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x5f, BITS_256, target, a, b);
  }

  /// `target = a / b`.
  void divide(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x5e, BITS_256, target, a, b);
  }

  /// As [#divide(int, int, int)] with `b` in memory.
  void divide(int target, int a, Memory b) {
    vex(MAP_0F, NO_PREFIX, 0x5e, BITS_256, target, a, b);
  }

  void add128(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x58, BITS_128, target, a, b);
  }

  void max128(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x5f, BITS_128, target, a, b);
  }

  /// `sum += a * b`, rounded once.
  void multiplyAdd(int sum, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0xb8, BITS_256, sum, a, b);
  }

  /// As [#multiplyAdd(int, int, int)] with `b` in memory.
  void multiplyAdd(int sum, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0xb8, BITS_256, sum, a, b);
  }

  /// `target = a * b - target`, rounded once.
  void multiplySubtract(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0xba, BITS_256, target, a, b);
  }

  /// As [#multiplySubtract(int, int, int)] with `b` in memory.
  void multiplySubtract(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0xba, BITS_256, target, a, b);
  }

  /// `target -= a * b`, rounded once.
  void subtractProduct(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0xbc, BITS_256, target, a, b);
  }

  /// As [#subtractProduct(int, int, int)] with `b` in memory.
  void subtractProduct(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0xbc, BITS_256, target, a, b);
  }

  /// `target = target * a + b`, rounded once.
  void multiplyThenAdd(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0xa8, BITS_256, target, a, b);
  }

  /// As [#multiplyThenAdd(int, int, int)] with `b` in memory.
  void multiplyThenAdd(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0xa8, BITS_256, target, a, b);
  }

  /// `target = target * a - b`, rounded once.
  void multiplyThenSubtract(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0xaa, BITS_256, target, a, b);
  }

  /// As [#multiplyThenSubtract(int, int, int)] with `b` in memory.
  void multiplyThenSubtract(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0xaa, BITS_256, target, a, b);
  }

  /// All bits of lanes where `a` and `b` compare as `predicate` says (section VCMPPS of the manual:
  /// 1 less, 2 not larger, 5 not less, 6 larger), zero in the others.
  void compare(int target, int a, int b, int predicate) {
    vex(MAP_0F, NO_PREFIX, 0xc2, BITS_256, target, a, b);
    bytes.int8(predicate);
  }

  // ---- integers and bits ------------------------------------------------------------------------

  void addInts(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xfe, BITS_256, target, a, b);
  }

  /// As [#addInts(int, int, int)] with `b` in memory.
  void addInts(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xfe, BITS_256, target, a, b);
  }

  /// `target = a - b`.
  void subtractInts(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xfa, BITS_256, target, a, b);
  }

  /// As [#subtractInts(int, int, int)] with `b` in memory.
  void subtractInts(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xfa, BITS_256, target, a, b);
  }

  void addBytes(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xfc, BITS_256, target, a, b);
  }

  /// `target = a - b`.
  void subtractBytes(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xf8, BITS_256, target, a, b);
  }

  /// As [#subtractBytes(int, int, int)] with `b` in memory.
  void subtractBytes(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xf8, BITS_256, target, a, b);
  }

  /// The larger of signed integers.
  void maxInts(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x3d, BITS_256, target, a, b);
  }

  /// The smaller of signed integers.
  void minInts(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x39, BITS_256, target, a, b);
  }

  /// All bits of lanes where integers are equal, zero in the others.
  void compareEqual(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0x76, BITS_256, target, a, b);
  }

  /// As [#compareEqual(int, int, int)] with `b` in memory.
  void compareEqual(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0x76, BITS_256, target, a, b);
  }

  /// All bits of lanes where `a` is the larger signed integer, zero in the others.
  void compareLarger(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0x66, BITS_256, target, a, b);
  }

  void and(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xdb, BITS_256, target, a, b);
  }

  /// As [#and(int, int, int)] with `b` in memory.
  void and(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xdb, BITS_256, target, a, b);
  }

  /// `target = ~a & b`.
  void andNot(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xdf, BITS_256, target, a, b);
  }

  void or(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xeb, BITS_256, target, a, b);
  }

  /// As [#or(int, int, int)] with `b` in memory.
  void or(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xeb, BITS_256, target, a, b);
  }

  void xor(int target, int a, int b) {
    vex(MAP_0F, PREFIX_66, 0xef, BITS_256, target, a, b);
  }

  /// As [#xor(int, int, int)] with `b` in memory.
  void xor(int target, int a, Memory b) {
    vex(MAP_0F, PREFIX_66, 0xef, BITS_256, target, a, b);
  }

  /// All bits of `target` zero.
  void zero(int target) {
    vex(MAP_0F, PREFIX_66, 0xef, BITS_256, target, target, target);
  }

  /// Integers shifted to the right, zeros coming in.
  void shiftRightInts(int target, int source, int bits) {
    vex(MAP_0F, PREFIX_66, 0x72, BITS_256, 2, target, source);
    bytes.int8(bits);
  }

  /// Integers shifted to the left.
  void shiftLeftInts(int target, int source, int bits) {
    vex(MAP_0F, PREFIX_66, 0x72, BITS_256, 6, target, source);
    bytes.int8(bits);
  }

  /// Integers shifted to the right, the sign coming in.
  void shiftRightSigned(int target, int source, int bits) {
    vex(MAP_0F, PREFIX_66, 0x72, BITS_256, 4, target, source);
    bytes.int8(bits);
  }

  /// 16-bit lanes shifted to the right, zeros coming in.
  void shiftRightShorts(int target, int source, int bits) {
    vex(MAP_0F, PREFIX_66, 0x71, BITS_256, 2, target, source);
    bytes.int8(bits);
  }

  /// 16-bit lanes shifted to the left.
  void shiftLeftShorts(int target, int source, int bits) {
    vex(MAP_0F, PREFIX_66, 0x71, BITS_256, 6, target, source);
    bytes.int8(bits);
  }

  /// Each half shifted to the right by whole bytes, zeros coming in.
  void shiftRightBytes(int target, int source, int count) {
    vex(MAP_0F, PREFIX_66, 0x73, BITS_256, 3, target, source);
    bytes.int8(count);
  }

  /// Integers shifted to the right, each by a number of its own, zeros coming in.
  void shiftRightEach(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x45, BITS_256, target, a, b);
  }

  /// As [#shiftRightEach(int, int, int)] with the numbers in memory.
  void shiftRightEach(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0x45, BITS_256, target, a, b);
  }

  /// Integers shifted to the left, each by a number of its own.
  void shiftLeftEach(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x47, BITS_256, target, a, b);
  }

  // ---- lanes to other places --------------------------------------------------------------------

  /// Lanes of `b` where the highest bit of `signs` is set, of `a` elsewhere.
  void blendBySign(int target, int a, int b, int signs) {
    vex(MAP_0F3A, PREFIX_66, 0x4a, BITS_256, target, a, b);
    bytes.int8(signs << 4);
  }

  /// Lanes of `b` whose bit of `lanes` is set, of `a` elsewhere.
  void blend(int target, int a, int b, int lanes) {
    vex(MAP_0F3A, PREFIX_66, 0x02, BITS_256, target, a, b);
    bytes.int8(lanes);
  }

  /// Lane `i` of the target is the lane of `table` that the low three bits of lane `i` of `codes`
  /// name.
  void lookUp(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x16, BITS_256, target, a, b);
  }

  /// As [#lookUp(int, int, int)] with the table in memory.
  void lookUp(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0x16, BITS_256, target, a, b);
  }

  /// Byte `i` of a half is the byte of the same half of `a` that byte `i` of `b` names, or zero
  /// where that is negative.
  void shuffleBytes(int target, int a, int b) {
    vex(MAP_0F38, PREFIX_66, 0x00, BITS_256, target, a, b);
  }

  /// As [#shuffleBytes(int, int, int)] with the names in memory.
  void shuffleBytes(int target, int a, Memory b) {
    vex(MAP_0F38, PREFIX_66, 0x00, BITS_256, target, a, b);
  }

  /// Lane `i` of each four is lane `order >> 2 i & 3` of the same four of the source.
  void shuffleWithinHalves(int target, int source, int order) {
    vex(MAP_0F, PREFIX_66, 0x70, BITS_256, target, NO_SECOND, source);
    bytes.int8(order);
  }

  /// In each half two lanes of `a` and then two of `b`, by two bits of `order` each.
  void shuffle(int target, int a, int b, int order) {
    vex(MAP_0F, NO_PREFIX, 0xc6, BITS_256, target, a, b);
    bytes.int8(order);
  }

  /// Two halves of `a` and `b` (0, 1 those of `a`, 2, 3 those of `b`): the lower named by bits 0
  /// and 1 of `order`, the upper by bits 4 and 5.
  void shuffleHalves(int target, int a, int b, int order) {
    vex(MAP_0F3A, PREFIX_66, 0x46, BITS_256, target, a, b);
    bytes.int8(order);
  }

  /// Pair `i` of two lanes is pair `order >> 2 i & 3` of the source.
  void shuffleQuarters(int target, int source, int order) {
    vex(MAP_0F3A, WIDE | PREFIX_66, 0x00, BITS_256, target, NO_SECOND, source);
    bytes.int8(order);
  }

  /// The upper four floats.
  void upperHalf(int target, int source) {
    vex(MAP_0F3A, PREFIX_66, 0x39, BITS_256, source, NO_SECOND, target);
    bytes.int8(1);
  }

  /// The upper four floats.
  void storeUpperFour(Memory target, int source) {
    vex(MAP_0F3A, PREFIX_66, 0x39, BITS_256, source, NO_SECOND, target);
    bytes.int8(1);
  }

  /// The lower four floats of `a`, and above them those of `b`.
  void withUpperHalf(int target, int a, int b) {
    vex(MAP_0F3A, PREFIX_66, 0x38, BITS_256, target, a, b);
    bytes.int8(1);
  }

  /// The lower four floats of `a`, and above them four in memory.
  void withUpperHalf(int target, int a, Memory b) {
    vex(MAP_0F3A, PREFIX_66, 0x38, BITS_256, target, a, b);
    bytes.int8(1);
  }

  /// In each half the two lower lanes of `a` and `b` by turns.
  void lowerPairs(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x14, BITS_256, target, a, b);
  }

  /// In each half the two upper lanes of `a` and `b` by turns.
  void upperPairs(int target, int a, int b) {
    vex(MAP_0F, NO_PREFIX, 0x15, BITS_256, target, a, b);
  }

  // ---- encoding --------------------------------------------------------------------------------

  private void vex(int map, int prefix, int opcode, int length, int reg, int second, int rm) {
    prefix(map, prefix, length, reg, second, rm >> 3, 0);
    bytes.int8(opcode);
    bytes.registers(reg, rm);
  }

  private void vex(int map, int prefix, int opcode, int length, int reg, int second, Memory rm) {
    int index = rm.index() == null ? 0 : rm.index().number;
    prefix(map, prefix, length, reg, second, rm.base().number >> 3, index >> 3);
    bytes.int8(opcode);
    bytes.operand(reg, rm);
  }

  /// The three bytes before the opcode; registers' upper bits are stored inverted.
  private void prefix(int map, int prefix, int length, int reg, int second, int b, int x) {
    if (reg > 15 || second > 15 || b > 1) {
      throw new IllegalArgumentException("AVX2 has registers 0 to 15 only");
    }
    bytes.int8(0xc4);
    bytes.int8((~reg >> 3 & 1) << 7 | (~x & 1) << 6 | (~b & 1) << 5 | map);
    bytes.int8(prefix | (~second & 15) << 3 | length);
  }
}
