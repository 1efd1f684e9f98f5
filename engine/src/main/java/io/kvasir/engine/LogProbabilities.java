package io.kvasir.engine;

/// Log-probabilities from scores, for one thread. Scratch memory is reused.
final class LogProbabilities {
  private final int[] best = new int[Output.MOST_SCORES];

  /// @param logits raw scores `[vocabulary]`
  /// @param token whose log-probability is told in any case
  /// @param top how many of the likeliest are told beside it; of equal ones the lower ids
  TokenScores of(float[] logits, int vocabulary, int token, int top) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < vocabulary; i++) {
      max = Math.max(max, logits[i]);
    }
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) {
      sum += Math.exp(logits[i] - max);
    }
    double offset = max + Math.log(sum);
    int count = likeliest(logits, vocabulary, Math.min(top, vocabulary));
    int[] ids = new int[count];
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      ids[i] = best[i];
      values[i] = (float) (logits[best[i]] - offset);
    }
    return new TokenScores((float) (logits[token] - offset), ids, values);
  }

  /// Keeps the best in order while it walks: few are wanted of many.
  private int likeliest(float[] logits, int vocabulary, int wanted) {
    int count = 0;
    for (int i = 0; i < vocabulary && wanted > 0; i++) {
      if (count == wanted && !(logits[i] > logits[best[count - 1]])) {
        continue;
      }
      int at = count < wanted ? count++ : count - 1;
      while (at > 0 && logits[i] > logits[best[at - 1]]) {
        best[at] = best[at - 1];
        at--;
      }
      best[at] = i;
    }
    return count;
  }
}
