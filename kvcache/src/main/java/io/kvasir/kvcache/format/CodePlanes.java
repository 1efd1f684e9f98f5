package io.kvasir.kvcache.format;

import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

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
  /// each, whatever the rows are: `2 ((slot / 16 * G + g) 16 + slot % 16)`.
  static long groupHalf(KvPlane plane, int slot, int channel) {
    return 2 * PlaneKind.KEYS.element(slot, channel / GROUP, groups(plane.dim()));
  }

  /// Bytes of a plane of halves with one for each group of each row.
  static long groupHalves(int blockTokens, int dim) {
    return 2L * blockTokens * groups(dim);
  }

  /// Bytes of a plane of codes behind which stands one half for each group of each row.
  long scaledBytes(int blockTokens, int dim) {
    return bytes(blockTokens, dim) + groupHalves(blockTokens, dim);
  }

  /// Where the half of a row's group that holds `channel` stands, behind the codes.
  long scaleAt(KvPlane plane, int slot, int channel) {
    return plane.offset()
        + bytes(plane.blockTokens(), plane.dim())
        + groupHalf(plane, slot, channel);
  }

  /// Copies the codes of a row and the halves of its groups behind them.
  void copyScaledRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    copyRow(from, slot, to, toSlot);
    for (int i = 0; i < from.dim(); i += GROUP) {
      RowNumbers.copyHalf(
          from.memory(), scaleAt(from, slot, i), to.memory(), scaleAt(to, toSlot, i));
    }
  }

  /// Reads the codes of a row, from 0, into `codes[0 .. dim - 1]`.
  void read(KvPlane plane, int slot, int[] codes) {
    Arrays.fill(codes, 0, plane.dim(), 0);
    readPlane(plane, plane.offset(), lowBits(), slot, 0, codes);
    if (highBits() > 0) {
      long high = plane.offset() + highOffset(plane.blockTokens(), plane.dim());
      readPlane(plane, high, highBits(), slot, lowBits(), codes);
    }
  }

  /// Writes the codes `codes[from .. from + dim - 1]` of a row; their bits above [#bits] must be 0.
  void write(KvPlane plane, int slot, int[] codes, int from) {
    writePlane(plane, plane.offset(), lowBits(), slot, 0, codes, from);
    if (highBits() > 0) {
      long high = plane.offset() + highOffset(plane.blockTokens(), plane.dim());
      writePlane(plane, high, highBits(), slot, lowBits(), codes, from);
    }
  }

  /// The code of an element, from 0.
  int get(KvPlane plane, int slot, int channel) {
    int[] codes = new int[plane.dim()];
    read(plane, slot, codes);
    return codes[channel];
  }

  /// Copies the codes of a row.
  void copyRow(KvPlane from, int slot, KvPlane to, int toSlot) {
    int[] codes = new int[from.dim()];
    read(from, slot, codes);
    write(to, toSlot, codes, 0);
  }

  /// Adds a sub-plane's bits to the codes, moved up by `shift`.
  private static void readPlane(
      KvPlane plane, long base, int width, int slot, int shift, int[] codes) {
    int mask = (1 << width) - 1;
    long at = base + start(plane, width, slot);
    int apart = apart(plane);
    for (int first = 0; first < plane.dim(); first += GROUP) {
      int size = Math.min(GROUP, plane.dim() - first);
      int bytes = rowBytes(width, size);
      for (int i = 0; i < bytes; i++, at += apart) {
        int packed = plane.memory().get(ValueLayout.JAVA_BYTE, at) & 255;
        for (int j = i; j < size; j += bytes) {
          codes[first + j] |= (packed & mask) << shift;
          packed >>>= width;
        }
      }
    }
  }

  private static void writePlane(
      KvPlane plane, long base, int width, int slot, int shift, int[] codes, int from) {
    int mask = (1 << width) - 1;
    long at = base + start(plane, width, slot);
    int apart = apart(plane);
    for (int first = 0; first < plane.dim(); first += GROUP) {
      int size = Math.min(GROUP, plane.dim() - first);
      int bytes = rowBytes(width, size);
      for (int i = 0; i < bytes; i++, at += apart) {
        int packed = 0;
        int bit = 0;
        for (int j = i; j < size; j += bytes, bit += width) {
          packed |= (codes[from + first + j] >>> shift & mask) << bit;
        }
        plane.memory().set(ValueLayout.JAVA_BYTE, at, (byte) packed);
      }
    }
  }

  /// Where the first byte of a row stands in a sub-plane.
  private static long start(KvPlane plane, int width, int slot) {
    return plane.kind().element(slot, 0, rowBytes(width, plane.dim()));
  }

  /// How far apart neighbouring bytes of a row stand.
  private static int apart(KvPlane plane) {
    return plane.kind() == PlaneKind.KEYS ? KvLayout.TILE_TOKENS : 1;
  }
}
