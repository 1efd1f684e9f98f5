package io.kvasir.kvcache.format;

import java.lang.foreign.ValueLayout;

/// How codes of 2 to 8 bits lie in a plane: as one sub-plane of 2, 4 or 8 bits for their low bits
/// and, for 3, 5 and 6 bits, a second one of 1 or 2 bits for the rest.
///
/// ```
/// bits   8   6      5      4   3      2
/// planes 8 | 4, 2 | 4, 1 | 4 | 2, 1 | 2        low bits first
///
/// The elements of a row form groups of 32, the last of a row may be smaller. A group of n elements
/// takes r = ceil(n w / 8) bytes of a sub-plane of w bits; element i stands in byte i % r of them,
/// at bit (i / r) w:
///   w = 4   byte i: | i+16 : i |                         i < 16, high bits first
///   w = 2   byte i: | i+24 : i+16 : i+8 : i |            i < 8
///   w = 1   byte i: | i+28 : ... : i+4 : i |             i < 4
///
/// Values, latent rows:  byte b of row `slot` at     slot * rowBytes + b
/// Keys:                 byte b of row `slot` at     (slot / 16 * rowBytes + b) * 16 + slot % 16
/// ```
///
/// So 16 neighbouring bytes of a key plane hold some channels of 16 tokens, each at the same bits,
/// and neighbouring bytes of a value plane neighbouring elements of a token: a shift and a mask
/// unpack a vector, without moving anything across lanes. No byte is shared by two rows.
///
/// @param bits of a code
public record CodePlanes(int bits) {
  /// Elements of a group.
  public static final int GROUP = 32;

  public CodePlanes {
    if (bits < 2 || bits == 7 || bits > 8) {
      throw new IllegalArgumentException("codes have 2 to 6 or 8 bits, not " + bits);
    }
  }

  /// Bits of the first sub-plane.
  public int lowBits() {
    return bits == 8 ? 8 : bits >= 4 ? 4 : 2;
  }

  /// Bits of the second sub-plane; 0 where there is none.
  public int highBits() {
    return bits - lowBits();
  }

  /// Bytes of a row of `dim` elements in a sub-plane of `width` bits.
  public static int rowBytes(int width, int dim) {
    return (dim * width + 7) / 8;
  }

  /// Bytes of both sub-planes: where scales begin.
  public long bytes(int blockTokens, int dim) {
    return (long) blockTokens * (rowBytes(lowBits(), dim) + rowBytes(highBits(), dim));
  }

  /// Where the second sub-plane begins.
  public long highOffset(int blockTokens, int dim) {
    return (long) blockTokens * rowBytes(lowBits(), dim);
  }

  /// Groups of a row.
  public static int groups(int dim) {
    return (dim + GROUP - 1) / GROUP;
  }

  /// Byte offset of a half that belongs to a group of a row, in a plane of halves that has one for
  /// each: values and latent rows `2 (slot G + g)`, keys `2 ((slot / 16 * G + g) 16 + slot % 16)`.
  static long groupHalf(KvPlane plane, int slot, int channel) {
    return 2 * plane.kind().element(slot, channel / GROUP, groups(plane.dim()));
  }

  /// Bytes of a plane of halves with one for each group of each row.
  static long groupHalves(int blockTokens, int dim) {
    return 2L * blockTokens * groups(dim);
  }

  /// The code of an element, from 0.
  int get(KvPlane plane, int slot, int channel) {
    int code = field(plane, plane.offset(), lowBits(), slot, channel);
    if (highBits() > 0) {
      long high = plane.offset() + highOffset(plane.blockTokens(), plane.dim());
      code |= field(plane, high, highBits(), slot, channel) << lowBits();
    }
    return code;
  }

  /// Sets the code of an element and leaves the others.
  void set(KvPlane plane, int slot, int channel, int code) {
    setField(plane, plane.offset(), lowBits(), slot, channel, code & (1 << lowBits()) - 1);
    if (highBits() > 0) {
      long high = plane.offset() + highOffset(plane.blockTokens(), plane.dim());
      setField(plane, high, highBits(), slot, channel, code >>> lowBits());
    }
  }

  /// Copies the codes of a row.
  void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    for (int i = 0; i < from.dim(); i++) {
      set(to, toSlot, i, get(from, slot, i));
    }
  }

  private static int field(KvPlane plane, long base, int width, int slot, int channel) {
    long at = at(plane, base, width, slot, channel);
    int mask = (1 << width) - 1;
    return plane.memory().get(ValueLayout.JAVA_BYTE, at) >>> shift(plane, width, channel) & mask;
  }

  private static void setField(
      KvPlane plane, long base, int width, int slot, int channel, int value) {
    long at = at(plane, base, width, slot, channel);
    int shift = shift(plane, width, channel);
    int mask = (1 << width) - 1;
    int others = plane.memory().get(ValueLayout.JAVA_BYTE, at) & ~(mask << shift);
    plane.memory().set(ValueLayout.JAVA_BYTE, at, (byte) (others | value << shift));
  }

  private static long at(KvPlane plane, long base, int width, int slot, int channel) {
    int inRow = channel / GROUP * 4 * width + channel % GROUP % stride(plane, width, channel);
    return base + plane.kind().element(slot, inRow, rowBytes(width, plane.dim()));
  }

  private static int shift(KvPlane plane, int width, int channel) {
    return channel % GROUP / stride(plane, width, channel) * width;
  }

  /// Bytes of the channel's group.
  private static int stride(KvPlane plane, int width, int channel) {
    int first = channel / GROUP * GROUP;
    return rowBytes(width, Math.min(GROUP, plane.dim() - first));
  }
}
