package io.kvasir.compute;

/// Picks the experts of one row; reused from row to row without allocating. See [Routing].
public final class ExpertSelection {
  private final Routing routing;
  private final float[] bias;
  private final float[] expertScale;
  private final float[] scores;
  private final float[] ranked;
  private final boolean[] groupKept;
  private final float[] groupScores;
  private final float[] group;
  private final int[] experts;
  private final float[] weights;

  /// @param bias the selection bias on the host, or an empty array for none
  /// @param expertScale the experts' own factors on the host, or an empty array for 1
  public ExpertSelection(Routing routing, float[] bias, float[] expertScale, int expertCount) {
    routing.check(expertCount);
    this.routing = routing;
    this.bias = bias;
    this.expertScale = expertScale;
    this.scores = new float[expertCount];
    this.ranked = new float[expertCount];
    this.groupKept = new boolean[routing.groups()];
    this.groupScores = new float[routing.groups()];
    this.group = new float[expertCount / routing.groups()];
    this.experts = new int[routing.expertsPerRow()];
    this.weights = new float[routing.expertsPerRow()];
  }

  /// The expert numbers of the row selected last, best first.
  public int[] experts() {
    return experts;
  }

  /// Their weights.
  public float[] weights() {
    return weights;
  }

  /// Selects from router logits that start at `offset`.
  public void select(float[] logits, int offset) {
    if (routing.mixerRange() > 0) {
      mix(logits, offset);
      return;
    }
    score(logits, offset);
    for (int e = 0; e < ranked.length; e++) {
      ranked[e] = scores[e] + (bias.length == 0 ? 0 : bias[e]);
    }
    if (routing.keptGroups() < routing.groups()) {
      dropWeakGroups();
    }
    float sum = 0;
    for (int i = 0; i < experts.length; i++) {
      experts[i] = takeBest(ranked);
      weights[i] = scores[experts[i]];
      sum += weights[i];
    }
    float factor = routing.normalize() ? routing.scale() / (sum + 1e-20f) : routing.scale();
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= factor * (expertScale.length == 0 ? 1 : expertScale[experts[i]]);
    }
  }

  private void mix(float[] logits, int offset) {
    System.arraycopy(logits, offset, ranked, 0, ranked.length);
    for (int i = 0; i < experts.length; i++) {
      System.arraycopy(ranked, 0, scores, 0, scores.length);
      experts[i] = takeBest(ranked);
      float best = scores[experts[i]];
      float sum = 0;
      for (int e = 0; e < scores.length; e++) {
        float distance = (best - logits[offset + e]) / Math.max(Math.abs(logits[offset + e]), best);
        boolean taken = scores[e] == Float.NEGATIVE_INFINITY;
        sum += taken || distance > routing.mixerRange() ? 0 : (float) Math.exp(scores[e] - best);
      }
      weights[i] = routing.scale() / sum;
    }
  }

  private void score(float[] logits, int offset) {
    if (routing.sigmoid()) {
      for (int e = 0; e < scores.length; e++) {
        scores[e] = ScalarMath.sigmoid(logits[offset + e]);
      }
      return;
    }
    float max = Float.NEGATIVE_INFINITY;
    for (int e = 0; e < scores.length; e++) {
      max = Math.max(max, logits[offset + e]);
    }
    float sum = 0;
    for (int e = 0; e < scores.length; e++) {
      scores[e] = (float) Math.exp(logits[offset + e] - max);
      sum += scores[e];
    }
    for (int e = 0; e < scores.length; e++) {
      scores[e] /= sum;
    }
  }

  private void dropWeakGroups() {
    int groupSize = ranked.length / groupKept.length;
    for (int g = 0; g < groupScores.length; g++) {
      groupScores[g] = topSum(g * groupSize, groupSize, routing.groupTop());
      groupKept[g] = false;
    }
    for (int i = 0; i < routing.keptGroups(); i++) {
      groupKept[takeBest(groupScores)] = true;
    }
    for (int e = 0; e < ranked.length; e++) {
      if (!groupKept[e / groupSize]) {
        ranked[e] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  private float topSum(int from, int count, int top) {
    System.arraycopy(ranked, from, group, 0, count);
    float sum = 0;
    for (int i = 0; i < Math.min(top, count); i++) {
      sum += ranked[from + takeBest(group)];
    }
    return sum;
  }

  /// The index of the largest value, the first of equal ones, which is then out of the race.
  private static int takeBest(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) {
        best = i;
      }
    }
    values[best] = Float.NEGATIVE_INFINITY;
    return best;
  }
}
