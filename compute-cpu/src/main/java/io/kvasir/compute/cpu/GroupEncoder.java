package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Encodes rows of 4-bit groups with the codes and scales of
/// [io.kvasir.kvcache.format.GroupFormat], two vectors of 16 lanes a group, without allocating. One
/// instance per thread.
final class GroupEncoder {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int GROUP = CodePlanes.GROUP;
  private static final int HALF = GROUP / 2;
  private static final int STEPS = 4;
  private static final int TOP = 8;

  /// The largest half.
  private static final float LARGEST = 65504f;

  private static final float LEAST = 0x1p-24f;

  /// Adding and subtracting it rounds to the nearest integer, ties to even.
  private static final float ROUND = 0x1.8p23f;

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final float[] group = new float[GROUP];
  private final float[] terms = new float[L];
  private final int[] packed = new int[L];

  /// Whether rows of `dim` channels can be encoded here.
  static boolean canUse(int bits, int dim) {
    return bits == 4 && L == HALF && dim % GROUP == 0;
  }

  /// Encodes the row at `source[from]` into a place.
  void write(TilePlace place, float[] source, int from) {
    int groups = place.dim / GROUP;
    long rowBytes = (long) groups * HALF;
    long codes = place.plane + place.slot * rowBytes;
    int apart = 1;
    if (place.kind == PlaneKind.KEYS) {
      codes = place.plane + (place.slot & -TILE) * rowBytes + place.slot % TILE;
      apart = TILE;
    }
    long scales = place.plane + place.blockTokens * rowBytes;
    for (int g = 0; g < groups; g++) {
      float scale = Float.float16ToFloat(encode(source, from + g * GROUP));
      long scaleAt =
          scales + 2 * (((long) place.slot / TILE * groups + g) * TILE + place.slot % TILE);
      place.memory.set(SHORT, scaleAt, Float.floatToFloat16(scale));
      pack(scale == 0 ? 0 : 1 / scale);
      for (int i = 0; i < HALF; i++) {
        long at = codes + ((long) g * HALF + i) * apart;
        place.memory.set(ValueLayout.JAVA_BYTE, at, (byte) packed[i]);
      }
    }
  }

  /// What codecs encode for an element.
  static float finite(float x) {
    return Float.isNaN(x) ? 0 : Math.clamp(x, -LARGEST, LARGEST);
  }

  /// Takes a group and returns the half that is its scale.
  private short encode(float[] source, int from) {
    float largest = 0;
    float smallest = 0;
    for (int i = 0; i < GROUP; i++) {
      float x = source[from + i];
      float y = finite(x);
      group[i] = y;
      largest = y > largest ? y : largest;
      smallest = y < smallest ? y : smallest;
    }
    float extreme = largest >= -smallest ? largest : smallest;
    if (Math.abs(extreme) < LEAST) {
      return 0;
    }
    float best = 0;
    float gain = -1;
    for (int k = 0; k < STEPS; k++) {
      float inverse = 1 / (-extreme / (TOP + 0.5f * k));
      int squares = gather(inverse);
      float sum = Lanes.sum(terms, 0);
      float candidate = sum * sum / squares;
      if (candidate > gain) {
        gain = candidate;
        best = sum / squares;
      }
    }
    return Float.floatToFloat16(best);
  }

  /// Puts the 16 sums of code times element of a channel and the one 16 further into [#terms].
  ///
  /// @return the sum of squared codes
  private int gather(float inverse) {
    FloatVector a = FloatVector.fromArray(F, group, 0);
    FloatVector b = FloatVector.fromArray(F, group, HALF);
    FloatVector c = a.mul(inverse);
    FloatVector d = b.mul(inverse);
    c = c.blend(-TOP, c.compare(VectorOperators.LT, -TOP));
    d = d.blend(-TOP, d.compare(VectorOperators.LT, -TOP));
    c = c.blend(TOP - 1, c.compare(VectorOperators.GT, TOP - 1)).add(ROUND).sub(ROUND);
    d = d.blend(TOP - 1, d.compare(VectorOperators.GT, TOP - 1)).add(ROUND).sub(ROUND);
    c.mul(a).add(d.mul(b)).intoArray(terms, 0);
    IntVector ci = (IntVector) c.convert(VectorOperators.F2I, 0);
    IntVector di = (IntVector) d.convert(VectorOperators.F2I, 0);
    return ci.mul(ci).add(di.mul(di)).reduceLanes(VectorOperators.ADD);
  }

  /// Puts the bytes of the group's codes into [#packed].
  private void pack(float inverse) {
    FloatVector a = FloatVector.fromArray(F, group, 0).mul(inverse);
    FloatVector b = FloatVector.fromArray(F, group, HALF).mul(inverse);
    a = a.blend(-TOP, a.compare(VectorOperators.LT, -TOP));
    b = b.blend(-TOP, b.compare(VectorOperators.LT, -TOP));
    a = a.blend(TOP - 1, a.compare(VectorOperators.GT, TOP - 1)).add(ROUND).sub(ROUND);
    b = b.blend(TOP - 1, b.compare(VectorOperators.GT, TOP - 1)).add(ROUND).sub(ROUND);
    IntVector ai = (IntVector) a.convert(VectorOperators.F2I, 0);
    IntVector bi = (IntVector) b.convert(VectorOperators.F2I, 0);
    ai.add(TOP).or(bi.add(TOP).lanewise(VectorOperators.LSHL, 4)).intoArray(packed, 0);
  }
}
