package io.kvasir.engine;

/// What some requests want of their prompt's rows: scores of its tokens, or the mean of its last
/// hidden rows. Gathered in order of position while the prompt is computed; what a preempted
/// sequence computes again is not counted again. Owned by the engine's thread.
final class Extras {
  private final boolean wantsScores;
  private final boolean wantsMean;
  private float[] sum = new float[0];
  private int gathered;

  Extras(Request request, boolean embedding) {
    this.wantsScores = request.output().promptScores();
    this.wantsMean = embedding;
  }

  boolean wantsScores() {
    return wantsScores;
  }

  boolean wantsMean() {
    return wantsMean;
  }

  /// Whether each prompt position has to be computed, cached or not.
  boolean wantsEveryRow() {
    return wantsScores || wantsMean;
  }

  /// Positions gathered so far.
  int gathered() {
    return gathered;
  }

  /// Counts the next position.
  void gather() {
    gathered++;
  }

  /// Adds the final hidden row of the next position.
  void gather(float[] hidden) {
    if (sum.length == 0) {
      sum = new float[hidden.length];
    }
    for (int i = 0; i < hidden.length; i++) {
      sum[i] += hidden[i];
    }
    gathered++;
  }

  /// The mean of the rows, scaled to length 1.
  float[] unitMean() {
    double square = 0;
    for (float value : sum) {
      square += (double) value * value;
    }
    float[] unit = new float[sum.length];
    double length = Math.sqrt(square);
    for (int i = 0; i < unit.length && length > 0; i++) {
      unit[i] = (float) (sum[i] / length);
    }
    return unit;
  }
}
