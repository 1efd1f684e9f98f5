package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Turns the products of one query into logits `(s + centre) * scale` and those into weights `e^(s
/// - max s)`, and sums the weights.
///
/// One method on purpose: cut into several, the compiler ran out of its budget for inlining in the
/// middle of them and allocated a vector for each addition. One instance per thread.
final class Softmax {
  /// Largest logit and sum of weights after [#run].
  float max;

  float sum;

  private final float[] lanes = new float[L];

  /// Works on `s[low .. high - 1]`, which is not empty. Elements around it, as far as vectors
  /// reach, become 0; lanes are those of the absolute index.
  ///
  /// @param scale positive
  void run(float[] s, int low, int high, float centre, float scale) {
    int from = low & -L;
    int to = high + L - 1 & -L;
    Arrays.fill(s, from, low, Float.NEGATIVE_INFINITY);
    Arrays.fill(s, high, to, Float.NEGATIVE_INFINITY);
    FloatVector factor = FloatVector.broadcast(F, scale);
    FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (int i = from; i < to; i += L) {
      FloatVector logit = FloatVector.fromArray(F, s, i).add(centre).mul(factor);
      logit.intoArray(s, i);
      most = most.max(logit);
    }
    float m = most.reduceLanes(VectorOperators.MAX);
    FloatVector total = FloatVector.zero(F);
    for (int i = from; i < to; i += L) {
      // The function and the constants of VectorMath.exp.
      FloatVector x = FloatVector.fromArray(F, s, i).sub(m);
      VectorMask<Float> tiny = x.compare(VectorOperators.LT, VectorMath.LOWEST);
      x = x.max(VectorMath.LOWEST).min(VectorMath.HIGHEST);
      FloatVector t =
          x.fma(
              FloatVector.broadcast(F, VectorMath.LOG2_E),
              FloatVector.broadcast(F, VectorMath.ROUND));
      FloatVector n = t.sub(VectorMath.ROUND);
      FloatVector f = n.fma(FloatVector.broadcast(F, -VectorMath.LN2_HIGH), x);
      f = n.fma(FloatVector.broadcast(F, -VectorMath.LN2_LOW), f);
      FloatVector y =
          FloatVector.broadcast(F, VectorMath.C7).fma(f, FloatVector.broadcast(F, VectorMath.C6));
      y = y.fma(f, FloatVector.broadcast(F, VectorMath.C5));
      y = y.fma(f, FloatVector.broadcast(F, VectorMath.C4));
      y = y.fma(f, FloatVector.broadcast(F, VectorMath.C3));
      y = y.fma(f, FloatVector.broadcast(F, VectorMath.C2));
      y = y.fma(f, FloatVector.broadcast(F, 1f));
      y = y.fma(f, FloatVector.broadcast(F, 1f));
      IntVector power = t.reinterpretAsInts().sub(VectorMath.ROUND_BITS - 127);
      FloatVector pow = power.lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      FloatVector weight = y.mul(pow).blend(0f, tiny);
      weight.intoArray(s, i);
      total = total.add(weight);
    }
    total.intoArray(lanes, 0);
    max = m;
    sum = Lanes.sum(lanes, 0);
  }
}
