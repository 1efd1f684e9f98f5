package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/// Operations on single rows of activations: normalization and rotation.
final class RowOps {
  private RowOps() {}

  /// Normalizes row `row` of `in` into `out`, group by group; see [Norm] for the formulas.
  ///
  /// Sums are f32 over the lanes of a vector, then the tree of [Lanes]. Two passes over a row that
  /// stays in the L1 cache, three for [Norm.Kind#LAYER].
  static void normalize(Norm norm, HostBuffer in, HostBuffer out, int row, float[] lanes) {
    int width = norm.width();
    float[] weight = values(norm.weight());
    float[] bias = values(norm.bias());
    for (int column = 0; column < in.columns(); column += width) {
      int at = row * in.columns() + column;
      float mean = norm.kind() == Norm.Kind.LAYER ? sum(in.values(), at, width, lanes) / width : 0f;
      float square = sumOfSquares(in.values(), at, width, mean, lanes);
      float factor = (float) (1 / Math.sqrt((double) square / width + norm.epsilon()));
      int to = row * out.columns() + column;
      shiftAndScale(in.values(), at, out.values(), to, width, mean, factor);
      if (weight != null) {
        multiply(out.values(), to, weight, column % weight.length, width);
      }
      if (bias != null) {
        add(out.values(), to, bias, column % bias.length, width);
      }
    }
  }

  private static float @Nullable [] values(io.kvasir.compute.@Nullable Buffer buffer) {
    return buffer == null ? null : ((HostBuffer) buffer).values();
  }

  private static void shiftAndScale(
      float[] in, int at, float[] out, int to, int count, float mean, float factor) {
    for (int i = 0; i < count; i++) {
      out[to + i] = (in[at + i] - mean) * factor;
    }
  }

  private static void multiply(float[] x, int at, float[] factors, int from, int count) {
    for (int i = 0; i < count; i++) {
      x[at + i] *= factors[from + i];
    }
  }

  private static void add(float[] x, int at, float[] terms, int from, int count) {
    for (int i = 0; i < count; i++) {
      x[at + i] += terms[from + i];
    }
  }

  /// The sum of `count` values in the order of [Lanes].
  static float sum(float[] x, int at, int count, float[] lanes) {
    FloatVector acc = FloatVector.zero(F);
    int end = F.loopBound(count);
    for (int i = 0; i < end; i += L) {
      acc = acc.add(FloatVector.fromArray(F, x, at + i));
    }
    acc.intoArray(lanes, 0);
    float sum = Lanes.sum(lanes, 0);
    for (int i = end; i < count; i++) {
      sum += x[at + i];
    }
    return sum;
  }

  private static float sumOfSquares(float[] x, int at, int count, float mean, float[] lanes) {
    FloatVector acc = FloatVector.zero(F);
    int end = F.loopBound(count);
    for (int i = 0; i < end; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, at + i).sub(mean);
      acc = v.fma(v, acc);
    }
    acc.intoArray(lanes, 0);
    float sum = Lanes.sum(lanes, 0);
    for (int i = end; i < count; i++) {
      float v = x[at + i] - mean;
      sum = Math.fma(v, v, sum);
    }
    return sum;
  }

  /// Rotates row `row` of `x`, which is at `position`; see [Rope] for the formula. Products are
  /// rounded before they are added, in vectors and outside.
  static void rotate(Rope rope, HostBuffer x, int row, int position) {
    float[] page = rope.table().pageOf(position);
    int angle = rope.table().offset(position);
    for (int h = 0; h < rope.heads(); h++) {
      int head = row * x.columns() + h * rope.headDim() + rope.offset();
      if (rope.interleaved()) {
        rotateNeighbours(x.values(), head, page, angle, rope.table().pairs());
      } else {
        rotateHalves(x.values(), head, page, angle, rope.table().pairs());
      }
    }
  }

  private static void rotateNeighbours(float[] x, int at, float[] page, int angle, int pairs) {
    for (int i = 0; i < pairs; i++) {
      float cos = page[angle + i];
      float sin = page[angle + pairs + i];
      float a = x[at + 2 * i];
      float b = x[at + 2 * i + 1];
      x[at + 2 * i] = a * cos - b * sin;
      x[at + 2 * i + 1] = b * cos + a * sin;
    }
  }

  private static void rotateHalves(float[] x, int at, float[] page, int angle, int pairs) {
    int end = F.loopBound(pairs);
    for (int i = 0; i < end; i += L) {
      FloatVector cos = FloatVector.fromArray(F, page, angle + i);
      FloatVector sin = FloatVector.fromArray(F, page, angle + pairs + i);
      FloatVector a = FloatVector.fromArray(F, x, at + i);
      FloatVector b = FloatVector.fromArray(F, x, at + pairs + i);
      a.mul(cos).sub(b.mul(sin)).intoArray(x, at + i);
      b.mul(cos).add(a.mul(sin)).intoArray(x, at + pairs + i);
    }
    for (int i = end; i < pairs; i++) {
      float cos = page[angle + i];
      float sin = page[angle + pairs + i];
      float a = x[at + i];
      float b = x[at + pairs + i];
      x[at + i] = a * cos - b * sin;
      x[at + pairs + i] = b * cos + a * sin;
    }
  }
}
