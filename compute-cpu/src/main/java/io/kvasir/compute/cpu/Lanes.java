package io.kvasir.compute.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// The vector width of this run and the one order in which lanes are summed.
///
/// A dot product over K elements is `L` sums, lane `i` adding elements `i, i + L, i + 2L, ...` in
/// that order with fused multiply-adds, then a tree over the lanes (see [#sum]), then the `K % L`
/// last elements one by one. Every kernel computes exactly this, so results depend on the width of
/// the machine's vectors and on nothing else. `FloatVector.reduceLanes` is not used: its order of
/// addition is not specified and differs between interpreted and compiled code.
final class Lanes {
  static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;

  /// Floats in a vector.
  static final int L = F.length();

  private Lanes() {}

  /// The lanes whose number has bit `distance` set.
  static VectorMask<Float> upper(int distance) {
    boolean[] bits = new boolean[L];
    for (int i = 0; i < L; i++) {
      bits[i] = (i & distance) != 0;
    }
    return VectorMask.fromArray(F, bits, 0);
  }

  /// Exchanges lanes whose numbers differ in bit `distance`.
  static VectorShuffle<Float> exchange(int distance) {
    return VectorShuffle.fromOp(F, i -> (i ^ distance) & (L - 1));
  }

  /// The sum of `L` floats: halves are added lane by lane until one is left.
  ///
  /// Destroys the values.
  static float sum(float[] lanes, int at) {
    for (int half = L / 2; half > 0; half /= 2) {
      for (int i = at; i < at + half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[at];
  }

  /// Bits of a vector.
  static int bits() {
    return L * Float.SIZE;
  }
}
