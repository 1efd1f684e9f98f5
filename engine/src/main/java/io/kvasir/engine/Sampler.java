package io.kvasir.engine;

import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Chooses tokens. The steps, in order: penalties, bias, what is allowed, and for temperature 0 the
/// likeliest token; else division by the temperature, min-p, top-k, top-p (arXiv 1904.09751), and
/// one draw from what is left.
///
/// The draw for the n-th token of an answer is a function of (seed, n) alone, so it does not depend
/// on which other sequences run or on whether this one was interrupted. Scratch memory is reused:
/// choosing allocates nothing once the arrays fit the vocabulary. Used by one thread.
public final class Sampler {
  /// Tokens this far below the best score have a probability under 1e-9 of the best's.
  private static final float NEGLIGIBLE = 21f;

  private float[] scores = new float[0];
  private long[] candidates = new long[0];
  private int[] counts = new int[0];

  /// A sampler whose memory grows to the vocabulary it meets.
  public Sampler() {}

  /// Chooses the next token of a sequence.
  ///
  /// @param logits scores `[vocabulary]`, left unchanged
  /// @param history the sequence's tokens; the first `promptLength` are the prompt's
  /// @param length tokens in `history`
  public int sample(
      float[] logits, SamplingOptions options, int[] history, int promptLength, int length) {
    return sample(logits, options, history, promptLength, length, null);
  }

  /// Chooses the next token of a sequence among those that are allowed.
  ///
  /// @param allowed bit `t % 64` of word `t / 64` for token `t`, at least one of the vocabulary's;
  ///   null for all
  int sample(
      float[] logits,
      SamplingOptions options,
      int[] history,
      int promptLength,
      int length,
      long @Nullable [] allowed) {
    reserve(logits.length);
    System.arraycopy(logits, 0, scores, 0, logits.length);
    penalize(options.penalties(), history, promptLength, length, logits.length);
    for (Map.Entry<Integer, Float> bias : options.logitBias().entrySet()) {
      if (bias.getKey() >= 0 && bias.getKey() < logits.length) {
        scores[bias.getKey()] += bias.getValue();
      }
    }
    if (allowed != null) {
      forbid(allowed, logits.length);
    }
    int best = likeliest(logits.length);
    if (options.temperature() == 0 || options.topK() == 1) {
      return best;
    }
    return draw(options, best, logits.length, uniform(options.seed(), length - promptLength));
  }

  private void penalize(
      SamplingOptions.Penalties penalties,
      int[] history,
      int promptLength,
      int length,
      int vocabulary) {
    if (penalties.equals(SamplingOptions.Penalties.NONE)) {
      return;
    }
    Arrays.fill(counts, 0, vocabulary, -1);
    for (int i = 0; i < length; i++) {
      int token = history[i];
      if (token < vocabulary) {
        counts[token] = Math.max(counts[token], 0) + (i < promptLength ? 0 : 1);
      }
    }
    for (int token = 0; token < vocabulary; token++) {
      if (counts[token] < 0) {
        continue;
      }
      float score = scores[token];
      score = score > 0 ? score / penalties.repetition() : score * penalties.repetition();
      if (counts[token] > 0) {
        score -= penalties.presence() + counts[token] * penalties.frequency();
      }
      scores[token] = score;
    }
  }

  /// What is not allowed gets a score below all that is.
  private void forbid(long[] allowed, int vocabulary) {
    for (int token = 0; token < vocabulary; token++) {
      boolean may = (allowed[token / 64] >>> token & 1) != 0;
      // An allowed score that is no number would else lose against a forbidden one.
      scores[token] = may ? Math.max(scores[token], -Float.MAX_VALUE) : Float.NEGATIVE_INFINITY;
      if (may && Float.isNaN(scores[token])) {
        scores[token] = -Float.MAX_VALUE;
      }
    }
  }

  private int likeliest(int vocabulary) {
    int best = 0;
    for (int i = 1; i < vocabulary; i++) {
      // A NaN never wins.
      if (scores[i] > scores[best] || Float.isNaN(scores[best])) {
        best = i;
      }
    }
    return best;
  }

  private int draw(SamplingOptions options, int best, int vocabulary, double uniform) {
    float max = scores[best];
    float floor = max - NEGLIGIBLE * options.temperature();
    if (options.minP() > 0) {
      floor = Math.max(floor, max + options.temperature() * (float) Math.log(options.minP()));
    }
    int count = 0;
    for (int i = 0; i < vocabulary; i++) {
      if (scores[i] >= floor) {
        candidates[count++] = sortKey(scores[i], i);
      }
    }
    if (count == 0) {
      return best;
    }
    Arrays.sort(candidates, 0, count);
    if (options.topK() > 0) {
      count = Math.min(count, options.topK());
    }
    double total = 0;
    for (int i = 0; i < count; i++) {
      total += probability(candidates[i], max, options.temperature());
    }
    double limit = total * options.topP();
    double kept = 0;
    int end = 0;
    while (end < count && (kept < limit || end == 0)) {
      kept += probability(candidates[end++], max, options.temperature());
    }
    double target = uniform * kept;
    for (int i = 0; i < end; i++) {
      target -= probability(candidates[i], max, options.temperature());
      if (target < 0) {
        return token(candidates[i]);
      }
    }
    return token(candidates[end - 1]);
  }

  private double probability(long key, float max, float temperature) {
    return Math.exp((scores[token(key)] - max) / temperature);
  }

  /// Ascending keys are descending scores, then ascending ids.
  private static long sortKey(float score, int token) {
    int bits = Float.floatToIntBits(score);
    int ordered = bits ^ (bits >> 31 & 0x7fffffff);
    return (long) ~ordered << 32 | token;
  }

  private static int token(long key) {
    return (int) key;
  }

  /// A number in [0, 1) from the seed and the index of the draw (the finalizer of SplitMix64,
  /// Steele et al., OOPSLA 2014).
  static double uniform(long seed, int index) {
    long z = seed + (index + 1) * 0x9e3779b97f4a7c15L;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    z ^= z >>> 31;
    return (z >>> 11) * 0x1.0p-53;
  }

  private void reserve(int vocabulary) {
    if (scores.length < vocabulary) {
      scores = new float[vocabulary];
      candidates = new long[vocabulary];
      counts = new int[vocabulary];
    }
  }
}
