package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.CodePlanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Unpacks [CodePlanes] of 2 to 6 bits: tiles of codes become f32 numbers `u - zero`, keys
/// channel-major, values row after row. Needs vectors of eight lanes.
final class CodeUnpacker {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int GROUP = CodePlanes.GROUP;
  private static final int HALF = GROUP / 2;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private final CodePlanes codes;
  private final float zero;
  private final Words low;
  private final Words high;

  /// The same of a row's last group where it has half as many codes, as in rows of 80.
  private final Words lowRest;

  private final Words highRest;

  /// How a group of codes of a row lies in words of four bytes: the shift of each, and whether it
  /// is in the second word.
  private static final class Words {
    final int size;
    final int width;
    final int[] shifts;
    final boolean[] second;

    Words(int width, int size) {
      this.size = size;
      this.width = width;
      shifts = new int[size];
      second = new boolean[size];
      int bytes = CodePlanes.rowBytes(Math.max(1, width), size);
      for (int i = 0; i < size; i++) {
        shifts[i] = i % bytes % 4 * 8 + i / bytes * width;
        second[i] = i % bytes >= 4;
      }
    }
  }

  /// @param zero what is subtracted from each code
  CodeUnpacker(CodePlanes codes, int zero) {
    this.codes = codes;
    this.zero = zero;
    low = new Words(codes.lowBits(), GROUP);
    high = new Words(codes.highBits(), GROUP);
    lowRest = new Words(codes.lowBits(), HALF);
    highRest = new Words(codes.highBits(), HALF);
  }

  /// Tiles of keys.
  void keys(TilePlace place) {
    int dim = place.dim;
    int width = codes.lowBits();
    for (int tile = 0; tile < place.tiles; tile++) {
      int slot = place.slot + tile * TILE;
      int at = place.at + tile * TILE * dim;
      long from = place.plane + (long) CodePlanes.rowBytes(width, dim) * slot;
      int channel = 0;
      if (width == 4) {
        int whole = dim / GROUP;
        channel = whole * GROUP;
        nibbles(place.memory, from, whole, HALF * TILE, place.numbers, at);
      }
      for (; channel < dim; channel++) {
        field(place, from, width, channel, 1, zero, false, at);
      }
      if (codes.highBits() > 0) {
        int bits = codes.highBits();
        from = place.plane + codes.highOffset(place.blockTokens, dim);
        from += (long) CodePlanes.rowBytes(bits, dim) * slot;
        for (int c = 0; c < dim; c++) {
          field(place, from, bits, c, 1 << width, 0, true, at);
        }
      }
    }
  }

  /// Runs of `bytes` bytes, whose lower halves become as many numbers and whose upper halves the
  /// numbers behind those. One flat loop: the compiler makes poor code of short ones.
  ///
  /// @param bytes a power of two, 16 or more
  private void nibbles(
      MemorySegment memory, long from, int runs, int bytes, float[] numbers, int to) {
    FloatVector bias = FloatVector.broadcast(F, zero);
    for (int i = 0; i < runs * bytes; i += L) {
      IntVector q =
          (IntVector) ByteVector.fromMemorySegment(B, memory, from + i, LE).castShape(I, 0);
      int target = to + (i & -bytes) + i;
      ((FloatVector) q.and(15).convert(VectorOperators.I2F, 0))
          .sub(bias)
          .intoArray(numbers, target);
      ((FloatVector) q.lanewise(VectorOperators.LSHR, 4).and(15).convert(VectorOperators.I2F, 0))
          .sub(bias)
          .intoArray(numbers, target + bytes);
    }
  }

  /// One channel of a tile of keys: `factor * bits - bias`, instead of or in addition to its
  /// numbers.
  private static void field(
      TilePlace place,
      long from,
      int width,
      int channel,
      int factor,
      float bias,
      boolean add,
      int at) {
    int first = channel / GROUP * GROUP;
    int bytes = CodePlanes.rowBytes(width, Math.min(GROUP, place.dim - first));
    long source = from + (long) (first / GROUP * 4 * width + (channel - first) % bytes) * TILE;
    int shift = (channel - first) / bytes * width;
    int mask = (1 << width) - 1;
    float[] numbers = place.numbers;
    for (int t = 0; t < TILE; t += L) {
      IntVector q =
          (IntVector) ByteVector.fromMemorySegment(B, place.memory, source + t, LE).castShape(I, 0);
      q = q.lanewise(VectorOperators.LSHR, shift).and(mask).mul(factor);
      FloatVector number = ((FloatVector) q.convert(VectorOperators.I2F, 0)).sub(bias);
      int to = at + channel * TILE + t;
      if (add) {
        number = number.add(FloatVector.fromArray(F, numbers, to));
      }
      number.intoArray(numbers, to);
    }
  }

  /// Rows of values.
  void values(TilePlace place) {
    int dim = place.dim;
    int tokens = place.tiles * TILE;
    int whole = dim / GROUP * GROUP;
    int width = codes.lowBits();
    int bits = codes.highBits();
    long lowPlane = place.plane;
    long highPlane = place.plane + codes.highOffset(place.blockTokens, dim);
    if (width == 4 && whole == dim) {
      // Rows follow each other without a gap: one loop over all of them.
      long from = lowPlane + (long) CodePlanes.rowBytes(4, dim) * place.slot;
      nibbles(place.memory, from, tokens * dim / GROUP, HALF, place.numbers, place.at);
    }
    for (int t = 0; t < tokens; t++) {
      int to = place.at + t * dim;
      long row = lowPlane + (long) CodePlanes.rowBytes(width, dim) * (place.slot + t);
      if (width == 4 && whole < dim) {
        nibbles(place.memory, row, whole / GROUP, HALF, place.numbers, to);
      } else if (width == 2) {
        words(place.memory, row, whole, low, 1, place.numbers, to);
      }
      if (bits > 0) {
        row = highPlane + (long) CodePlanes.rowBytes(bits, dim) * (place.slot + t);
        words(place.memory, row, whole, high, 1 << width, place.numbers, to);
      }
      int rest = whole;
      if (dim - whole == HALF) {
        rest(place, t, lowRest, lowPlane, 1, to);
        if (bits > 0) {
          rest(place, t, highRest, highPlane, 1 << width, to);
        }
        rest = dim;
      }
      for (int c = rest; c < dim; c++) {
        int code = field(place, t, lowPlane, width, c);
        code |= bits == 0 ? 0 : field(place, t, highPlane, bits, c) << width;
        place.numbers[to + c] = code - zero;
      }
    }
  }

  /// Whole groups of a row, each in one word or two: `bits - zero` where the factor is 1, else
  /// `factor * bits` is added to the numbers.
  private void words(
      MemorySegment memory,
      long from,
      int channels,
      Words words,
      int factor,
      float[] numbers,
      int to) {
    int width = words.width;
    int mask = (1 << width) - 1;
    int bytes = CodePlanes.rowBytes(width, words.size);
    for (int first = 0; first < channels; first += words.size) {
      // A group of two bytes is read with what stands behind it: there are scales behind the codes.
      long at = from + (long) first / words.size * bytes;
      int word = memory.get(INT, at);
      int other = bytes <= 4 ? word : memory.get(INT, at + 4);
      for (int i = 0; i < words.size; i += L) {
        IntVector q =
            IntVector.broadcast(I, word).blend(other, VectorMask.fromArray(I, words.second, i));
        q = q.lanewise(VectorOperators.LSHR, IntVector.fromArray(I, words.shifts, i));
        FloatVector number = (FloatVector) q.and(mask).mul(factor).convert(VectorOperators.I2F, 0);
        if (factor == 1) {
          number = number.sub(zero);
        } else {
          number = number.add(FloatVector.fromArray(F, numbers, to + first + i));
        }
        number.intoArray(numbers, to + first + i);
      }
    }
  }

  /// The last group of a row, of 16 codes.
  private void rest(TilePlace place, int t, Words words, long plane, int factor, int at) {
    int first = place.dim - HALF;
    long row = plane + (long) CodePlanes.rowBytes(words.width, place.dim) * (place.slot + t);
    long from = row + (long) first / GROUP * 4 * words.width;
    words(place.memory, from, HALF, words, factor, place.numbers, at + first);
  }

  /// Bits of one element in the smaller last group of a row.
  private static int field(TilePlace place, int t, long base, int width, int channel) {
    int first = channel / GROUP * GROUP;
    int bytes = CodePlanes.rowBytes(width, Math.min(GROUP, place.dim - first));
    int i = channel - first;
    long row = base + (long) CodePlanes.rowBytes(width, place.dim) * (place.slot + t);
    long at = row + first / GROUP * 4L * width + i % bytes;
    int value = place.memory.get(ValueLayout.JAVA_BYTE, at);
    return value >>> i / bytes * width & (1 << width) - 1;
  }
}
