package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Vector decoders of the formats whose 4-bit codes index a table of 16 values, for machines on
/// which the table is one vector. Bits are those of the codecs: a value times its scale is exact.
final class TableDecoders {
  /// Whether this machine's vectors hold the table.
  static final boolean SUPPORTED = L == 16;

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  /// The values of IQ4_NL and IQ4_XS.
  private static final FloatVector NON_LINEAR =
      table(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

  /// Twice the values of E2M1, the 4-bit float.
  private static final FloatVector DOUBLED =
      table(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

  private TableDecoders() {}

  private static FloatVector table(float... values) {
    return FloatVector.fromArray(F, values, 0);
  }

  static void iq4Nl(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 18L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      codes(w, block + 2, NON_LINEAR.mul(d), target, to + 32 * b);
    }
  }

  static void iq4Xs(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 256; b++) {
      long block = at + 136L * b;
      float d = Float.float16ToFloat(w.get(HALF, block));
      int scalesHigh = w.get(HALF, block + 2);
      for (int sub = 0; sub < 8; sub++) {
        int low = w.get(ValueLayout.JAVA_BYTE, block + 4 + (sub >> 1)) >> 4 * (sub & 1) & 15;
        int scale = (low | (scalesHigh >> 2 * sub & 3) << 4) - 32;
        long codes = block + 8 + 16L * sub;
        codes(w, codes, NON_LINEAR.mul(d * scale), target, to + 256 * b + 32 * sub);
      }
    }
  }

  static void mxfp4(MemorySegment w, long at, float[] target, int to, int count) {
    for (int b = 0; b < count / 32; b++) {
      long block = at + 17L * b;
      int code = w.get(ValueLayout.JAVA_BYTE, block) & 0xff;
      // Half of 2^(code - 127); the two smallest are subnormal.
      float half = Float.intBitsToFloat(code < 2 ? 0x0020_0000 << code : code - 1 << 23);
      codes(w, block + 1, DOUBLED.mul(half), target, to + 32 * b);
    }
  }

  /// 32 weights that 16 bytes look up in `table`, low halves first.
  private static void codes(MemorySegment w, long at, FloatVector table, float[] target, int to) {
    IntVector bits = table.reinterpretAsInts();
    IntVector q = (IntVector) ByteVector.fromMemorySegment(B, w, at, LE).castShape(I, 0);
    q.and(15).selectFrom(bits).reinterpretAsFloats().intoArray(target, to);
    q.lanewise(VectorOperators.LSHR, 4)
        .and(15)
        .selectFrom(bits)
        .reinterpretAsFloats()
        .intoArray(target, to + 16);
  }
}
