package io.kvasir.cli.eval;

import java.util.List;
import java.util.function.DoubleUnaryOperator;

/// An estimate with its 95 % confidence interval; bounds are NaN where it cannot be told.
public record Interval(double value, double low, double high) {
  /// 97.5 % points of Student's t for 1, 2, ... degrees of freedom.
  private static final double[] STUDENT = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042
  };

  private static final double NORMAL = 1.96;

  /// The mean over elements that come in groups: `sum of sums / sum of sizes`. Elements of a group
  /// depend on each other, so that the spread is that between groups (linearized ratio estimate).
  ///
  /// @param groups `{sum, size}` of each
  static Interval ofRatio(List<double[]> groups) {
    double sum = 0;
    double size = 0;
    for (double[] group : groups) {
      sum += group[0];
      size += group[1];
    }
    double mean = sum / size;
    int n = groups.size();
    if (n < 2) {
      return new Interval(mean, Double.NaN, Double.NaN);
    }
    double squares = 0;
    for (double[] group : groups) {
      double residual = group[0] - mean * group[1];
      squares += residual * residual;
    }
    double error = Math.sqrt(squares * n / (n - 1)) / size;
    double t = n - 1 <= STUDENT.length ? STUDENT[n - 2] : NORMAL;
    return new Interval(mean, mean - t * error, mean + t * error);
  }

  /// The interval of a rising function of the value.
  Interval map(DoubleUnaryOperator rising) {
    return new Interval(
        rising.applyAsDouble(value), rising.applyAsDouble(low), rising.applyAsDouble(high));
  }
}
