package io.kvasir.kvcache.prune;

import java.util.Arrays;
import java.util.SplittableRandom;

/// A random head and what attention is over it, in f64 and term by term.
@SuppressWarnings("ArrayRecordComponent") // made for one comparison
record PlainHead(HeadView view, double[][] keys, double[][] values, double[][][] queries) {

  /// @param gaps whether earlier prunings have left gaps between positions
  static PlainHead random(SplittableRandom random, int rows, int queryCount, boolean gaps) {
    int group = 1 + random.nextInt(3);
    int keyDim = 4 + random.nextInt(9);
    int valueDim = 4 + random.nextInt(9);
    int[] positions = new int[rows];
    int position = 0;
    for (int row = 0; row < rows; row++) {
      position += gaps && row > 0 && row < rows / 2 ? random.nextInt(3) : 0;
      positions[row] = position++;
    }
    int count = Math.min(queryCount, position);
    float[] keys = gaussians(random, rows * keyDim + 3);
    float[] values = gaussians(random, rows * valueDim + 3);
    float[] queries = gaussians(random, count * group * keyDim);
    float[] given = gaussians(random, rows);
    float cap = random.nextInt(3) == 0 ? 20 : 0;
    float scale = (float) (1 / Math.sqrt(keyDim));
    HeadView view =
        new HeadView(
            new HeadView.Shape(2, 1, group, keyDim, valueDim, scale, cap),
            positions,
            Math.min(4, rows),
            Math.max(Math.min(4, rows), rows - 6),
            keys,
            values,
            new HeadView.Queries(position - count, count, queries),
            given);
    double[][][] plainQueries = new double[count][group][];
    for (int i = 0; i < count; i++) {
      for (int h = 0; h < group; h++) {
        plainQueries[i][h] = slice(queries, (i * group + h) * keyDim, keyDim);
      }
    }
    return new PlainHead(
        view, rows(keys, rows, keyDim), rows(values, rows, valueDim), plainQueries);
  }

  private static float[] gaussians(SplittableRandom random, int count) {
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private static double[][] rows(float[] x, int rows, int dim) {
    double[][] result = new double[rows][];
    Arrays.setAll(result, row -> slice(x, row * dim, dim));
    return result;
  }

  private static double[] slice(float[] x, int from, int count) {
    double[] result = new double[count];
    Arrays.setAll(result, i -> x[from + i]);
    return result;
  }

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  static double cosine(double[] a, double[] b) {
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  boolean sees(int query, int row) {
    return view.positions()[row] <= view.queries().first() + query;
  }

  /// Of one head's query for one row; minus infinity where it does not see it.
  double logit(int query, int member, int row) {
    if (!sees(query, row)) {
      return Double.NEGATIVE_INFINITY;
    }
    double x = dot(queries[query][member], keys[row]) * view.shape().scale();
    double cap = view.shape().softcap();
    return cap == 0 ? x : cap * Math.tanh(x / cap);
  }

  static double[] softmax(double[] x) {
    double most = Arrays.stream(x).max().orElse(0);
    double[] e = Arrays.stream(x).map(v -> Math.exp(v - most)).toArray();
    double sum = Arrays.stream(e).sum();
    return Arrays.stream(e).map(v -> v / sum).toArray();
  }

  double[] probabilities(int query, int member) {
    double[] x = new double[view.rows()];
    Arrays.setAll(x, row -> logit(query, member, row));
    return softmax(x);
  }
}
