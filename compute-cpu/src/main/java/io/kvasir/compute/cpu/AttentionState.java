package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/// The merged result of a unit's queries over the partitions so far: `out = acc / sum`, both scaled
/// by `e^-max`. One instance per thread.
final class AttentionState {
  /// For rows that enter or leave the layer's basis on this thread.
  final Rotation rotation = new Rotation();

  private float[] max = {};
  private float[] sum = {};
  private float[] acc = {};

  /// Starts with no position seen; a sink takes part in the softmax without a value.
  void clear(AttentionCall call, AttentionUnit unit) {
    int group = call.spec().groupSize();
    int queries = unit.rows * group;
    int size = queries * call.spec().valueDim();
    if (max.length < queries) {
      max = new float[queries];
      sum = new float[queries];
    }
    if (acc.length < size) {
      acc = new float[size];
    }
    float @Nullable [] sinks = call.sinks();
    for (int q = 0; q < queries; q++) {
      max[q] = sinks == null ? Float.NEGATIVE_INFINITY : sinks[unit.head * group + q % group];
      sum[q] = sinks == null ? 0 : 1;
    }
    Arrays.fill(acc, 0, size, 0f);
  }

  /// Merges the partial result `(partMax, partSum, partAcc[at ...])` of query `q`.
  void merge(int q, float partMax, float partSum, float[] partAcc, int at, int dim) {
    if (partMax == Float.NEGATIVE_INFINITY && partSum == 0) {
      return;
    }
    float m = Math.max(max[q], partMax);
    // One of the two is e^0.
    float mine = max[q] == m ? 1 : VectorMath.exp(max[q] - m);
    float theirs = partMax == m ? 1 : VectorMath.exp(partMax - m);
    max[q] = m;
    sum[q] = sum[q] * mine + partSum * theirs;
    int to = q * dim;
    int vectors = F.loopBound(dim);
    // By hand: the compiler begins a loop with up to fifteen single steps.
    for (int i = 0; i < vectors; i += L) {
      FloatVector a = FloatVector.fromArray(F, acc, to + i).mul(mine);
      a.add(FloatVector.fromArray(F, partAcc, at + i).mul(theirs)).intoArray(acc, to + i);
    }
    for (int i = vectors; i < dim; i++) {
      acc[to + i] = acc[to + i] * mine + partAcc[at + i] * theirs;
    }
  }

  /// Writes the unit's rows of the result.
  void finish(AttentionCall call, AttentionUnit unit) {
    int group = call.spec().groupSize();
    int dim = call.spec().valueDim();
    for (int q = 0; q < unit.rows * group; q++) {
      int row = unit.firstRow + q / group;
      int to = (row * call.spec().heads() + unit.head * group + q % group) * dim;
      float s = sum[q];
      for (int i = 0; i < dim; i++) {
        call.out()[to + i] = acc[q * dim + i] / s;
      }
      rotation.transform(call.out(), to, dim, call.basis().valueRotation());
    }
  }
}
