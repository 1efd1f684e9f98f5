package io.kvasir.kvcache.prune;

/// Ridge regression of several targets on one vector of features and a constant, by its normal
/// equations `(X'X + rI) W = X'Y` in f64.
///
/// Holds `(n + 1)^2` numbers for n features; a fit takes `n^3 / 6` multiplications.
public final class RidgeFit {
  private final int features;
  private final int targets;
  private final double[][] products;
  private final double[][] right;
  private long samples;

  /// @throws IllegalArgumentException where there are too many features to hold their products
  public RidgeFit(int features, int targets) {
    if (features < 1 || features > 16_384 || targets < 1) {
      throw new IllegalArgumentException(
          "cannot fit %d targets to %d features".formatted(targets, features));
    }
    this.features = features;
    this.targets = targets;
    this.products = new double[features + 1][];
    this.right = new double[targets][features + 1];
    for (int i = 0; i <= features; i++) {
      products[i] = new double[i + 1];
    }
  }

  /// Adds a sample.
  ///
  /// @param x features start at `x[from]`
  /// @param y one value per target
  public void add(float[] x, int from, float[] y) {
    for (int i = 0; i < features; i++) {
      double value = x[from + i];
      double[] row = products[i];
      for (int j = 0; j <= i; j++) {
        row[j] += value * x[from + j];
      }
      products[features][i] += value;
      for (int t = 0; t < targets; t++) {
        right[t][i] += value * y[t];
      }
    }
    products[features][features] += 1;
    for (int t = 0; t < targets; t++) {
      right[t][features] += y[t];
    }
    samples++;
  }

  public long samples() {
    return samples;
  }

  /// The weights of each target, `[targets][features + 1]`, the constant last.
  ///
  /// @param strength of the penalty on weights, per sample and relative to the features' mean
  ///   square
  public float[][] solve(double strength) {
    double trace = 0;
    for (int i = 0; i < features; i++) {
      trace += products[i][i];
    }
    double penalty = strength * trace / features + 1e-12;
    double[][] lower = factor(penalty);
    float[][] weights = new float[targets][features + 1];
    for (int t = 0; t < targets; t++) {
      double[] solved = substitute(lower, right[t]);
      for (int i = 0; i <= features; i++) {
        weights[t][i] = (float) solved[i];
      }
    }
    return weights;
  }

  /// Cholesky's lower factor; the constant is not penalized.
  private double[][] factor(double penalty) {
    double[][] lower = new double[features + 1][];
    for (int i = 0; i <= features; i++) {
      lower[i] = products[i].clone();
      lower[i][i] += i < features ? penalty : 1e-12;
      for (int j = 0; j <= i; j++) {
        double sum = lower[i][j];
        for (int k = 0; k < j; k++) {
          sum -= lower[i][k] * lower[j][k];
        }
        lower[i][j] = i == j ? Math.sqrt(Math.max(sum, 1e-30)) : sum / lower[j][j];
      }
    }
    return lower;
  }

  private double[] substitute(double[][] lower, double[] vector) {
    double[] x = vector.clone();
    for (int i = 0; i < x.length; i++) {
      for (int k = 0; k < i; k++) {
        x[i] -= lower[i][k] * x[k];
      }
      x[i] /= lower[i][i];
    }
    for (int i = x.length - 1; i >= 0; i--) {
      for (int k = i + 1; k < x.length; k++) {
        x[i] -= lower[k][i] * x[k];
      }
      x[i] /= lower[i][i];
    }
    return x;
  }
}
