package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.x86.TileCall;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Turns the products of one query into weights `e^(scale (s - max s))` and sums those.
///
/// The exponential is `2^n 2^f` of `z = scale log2(e) (s - max s)`, where `n` is `z` rounded and
/// `2^f` a Taylor polynomial of degree 6, whose relative error on `-0.5 .. 0.5` is at most 1.2e-7.
/// It is summed in pairs (Estrin), and `2^n` is added to the exponent's bits: what limits this code
/// is how many steps depend on each other, not how many there are. The largest score is found with
/// integers that are in the order of the floats: `FloatVector.max` takes six instructions for the
/// sake of NaN and -0.
///
/// Weights are summed in sixteen lanes, weight `i` in lane `i % 16`, and then halves of the lanes
/// are added until one is left, whatever the width of the machine's vectors: a score and a weighted
/// sum of values do not depend on it either, so attention has the same bits on every machine.
///
/// One method on purpose for all but that: cut into several, the compiler ran out of its budget for
/// inlining in the middle of them and allocated a vector for each addition. One instance per
/// thread.
final class Softmax {
  static final float LOG2_E = (float) (1 / Math.log(2));

  /// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
  private static final float ROUND = 12582912f;

  /// Below this, 2^z is taken as 0: beside the largest weight, 1, it is lost in the rounding of any
  /// sum of f32, and its product with a scale of a coded row could be subnormal, which many
  /// processors multiply a hundred times slower.
  private static final float LEAST = -64;

  // ln(2)^k / k!
  private static final float C1 = (float) Math.log(2);
  private static final float C2 = (float) (Math.pow(Math.log(2), 2) / 2);
  private static final float C3 = (float) (Math.pow(Math.log(2), 3) / 6);
  private static final float C4 = (float) (Math.pow(Math.log(2), 4) / 24);
  private static final float C5 = (float) (Math.pow(Math.log(2), 5) / 120);
  private static final float C6 = (float) (Math.pow(Math.log(2), 6) / 720);

  /// Of degree 1 to 4, so that `2^f` is met to 3e-6 on `-0.5 .. 0.5` and exactly at 0.
  static final float[] ROUGH = {
    (float) 0.6931242, (float) 0.24024099, (float) 0.05590645, (float) 0.009582821
  };

  /// Lanes in which weights are summed.
  private static final int LANES = 16;

  private static final int ALL_BUT_SIGN = Integer.MAX_VALUE;
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
  private static final VectorShuffle<Float> X1 = Lanes.exchange(1);
  private static final VectorShuffle<Float> X2 = Lanes.exchange(2);
  private static final VectorShuffle<Float> X4 = Lanes.exchange(4);
  private static final VectorShuffle<Float> X8 = Lanes.exchange(8);

  /// Largest logit `scale (s + centre)` and sum of weights after [#run].
  float max;

  float sum;

  /// Tells machine code the exponential of [#run].
  static void prepare(TileCall call) {
    call.exponential(new float[] {1, C1, C2, C3, C4, C5, C6}, ROUND, LEAST, ROUGH.clone());
  }

  /// Works on `s[low .. high - 1]`, which is not empty. Elements around it, as far as vectors
  /// reach, become 0; lanes are those of the absolute index.
  ///
  /// @param scale positive
  void run(float[] s, int low, int high, float centre, float scale) {
    int from = low & -LANES;
    int to = high + LANES - 1 & -LANES;
    Arrays.fill(s, from, low, Float.NEGATIVE_INFINITY);
    Arrays.fill(s, high, to, Float.NEGATIVE_INFINITY);
    IntVector most = IntVector.broadcast(I, Integer.MIN_VALUE);
    for (int i = from; i < to; i += L) {
      IntVector bits = FloatVector.fromArray(F, s, i).reinterpretAsInts();
      most =
          most.max(
              bits.lanewise(VectorOperators.ASHR, 31)
                  .and(ALL_BUT_SIGN)
                  .lanewise(VectorOperators.XOR, bits));
    }
    int ordered = most.reduceLanes(VectorOperators.MAX);
    float largest = Float.intBitsToFloat(ordered ^ (ordered >> 31 & ALL_BUT_SIGN));
    max = (largest + centre) * scale;
    FloatVector factor = FloatVector.broadcast(F, scale * LOG2_E);
    FloatVector round = FloatVector.broadcast(F, ROUND);
    for (int i = from; i < to; i += L) {
      FloatVector z = FloatVector.fromArray(F, s, i).sub(largest).mul(factor);
      VectorMask<Float> tiny = z.compare(VectorOperators.LT, LEAST);
      FloatVector t = z.add(round);
      FloatVector f = z.sub(t.sub(round));
      FloatVector f2 = f.mul(f);
      FloatVector a = f.fma(FloatVector.broadcast(F, C1), FloatVector.broadcast(F, 1f));
      FloatVector b = f.fma(FloatVector.broadcast(F, C3), FloatVector.broadcast(F, C2));
      FloatVector c = f.fma(FloatVector.broadcast(F, C5), FloatVector.broadcast(F, C4));
      c = f2.fma(FloatVector.broadcast(F, C6), c);
      a = f2.fma(b, a);
      a = f2.mul(f2).fma(c, a);
      IntVector power = t.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
      FloatVector weight = a.reinterpretAsInts().add(power).reinterpretAsFloats().blend(0f, tiny);
      weight.intoArray(s, i);
    }
    sum = sum(s, from, to);
  }

  /// The sum of weights between two multiples of [#LANES].
  private static float sum(float[] s, int from, int to) {
    // The lanes from 0, 4, 8 and 12 on; of longer vectors only the first, or the first and third.
    FloatVector total = FloatVector.zero(F);
    FloatVector second = total;
    FloatVector third = total;
    FloatVector fourth = total;
    for (int i = from; i < to; i += LANES) {
      total = total.add(FloatVector.fromArray(F, s, i));
      if (L < LANES) {
        third = third.add(FloatVector.fromArray(F, s, i + 8));
      }
      if (L < 8) {
        second = second.add(FloatVector.fromArray(F, s, i + 4));
        fourth = fourth.add(FloatVector.fromArray(F, s, i + 12));
      }
    }
    if (L < LANES) {
      total = total.add(third);
    } else {
      total = total.add(total.rearrange(X8));
    }
    if (L < 8) {
      total = total.add(second.add(fourth));
    }
    if (L > 4) {
      total = total.add(total.rearrange(X4));
    }
    total = total.add(total.rearrange(X2));
    return total.add(total.rearrange(X1)).lane(0);
  }
}
