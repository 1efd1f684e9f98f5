package io.kvasir.compute;

import java.util.Arrays;

/// Chooses which pages a row reads from what each can score.
///
/// The query heads that share a kv head read the same pages, so that these are unpacked once. A
/// page counts by the attention that it would get from all of them if its bounds were logits:
///
/// ```
/// w[j] = sum over r of e^b[r, j] / sum over i of e^b[r, i]
/// ```
///
/// So a head that has one page in mind counts for more than one that looks everywhere.
///
/// The pages with the largest `w` are read, of equal ones those that come first. One instance per
/// thread.
public final class PageChoice {
  private float[] wanted = {};
  private float[] sorted = {};
  private float[] weights = {};

  /// One that has chosen nothing yet.
  public PageChoice() {}

  /// @param bounds `b[r, j]` of page `j + 1` at `r * (pages - 3) + j`, in units of logits
  /// @param heads query heads
  /// @param pages pages up to the row's own, as [PageSkips#pages]
  /// @param skipped how many to leave out
  /// @param read gets the numbers of the `pages - skipped` pages to read, ascending
  public void choose(float[] bounds, int heads, int pages, int skipped, int[] read) {
    int count = pages - PageSkips.ALWAYS;
    rate(bounds, heads, count);
    System.arraycopy(wanted, 0, sorted, 0, count);
    Arrays.sort(sorted, 0, count);
    int keep = count - skipped;
    float least = keep == 0 ? Float.POSITIVE_INFINITY : sorted[count - keep];
    int equal = keep;
    for (int j = 0; j < count; j++) {
      equal -= wanted[j] > least ? 1 : 0;
    }
    int next = 0;
    read[next++] = 0;
    for (int j = 0; j < count; j++) {
      if (wanted[j] > least || wanted[j] == least && equal-- > 0) {
        read[next++] = j + 1;
      }
    }
    read[next++] = pages - 2;
    read[next] = pages - 1;
  }

  private void rate(float[] bounds, int heads, int count) {
    if (wanted.length < count) {
      wanted = new float[2 * count];
      sorted = new float[2 * count];
      weights = new float[2 * count];
    }
    Arrays.fill(wanted, 0, count, 0);
    for (int r = 0; r < heads; r++) {
      float best = -Float.MAX_VALUE;
      for (int j = 0; j < count; j++) {
        best = Math.max(best, number(bounds[r * count + j]));
      }
      float sum = 0;
      for (int j = 0; j < count; j++) {
        weights[j] = exp(number(bounds[r * count + j]) - best);
        sum += weights[j];
      }
      for (int j = 0; j < count; j++) {
        wanted[j] += weights[j] / sum;
      }
    }
  }

  /// `e^x` of `x <= 0` to five digits, with the same bits on every machine, which the library's
  /// function does not promise: `2^n` times a polynomial (Taylor's) of what is left of `x log2 e`.
  private static float exp(float x) {
    if (x < -80) {
      return 0;
    }
    float scaled = x * 1.442695f;
    int whole = (int) scaled - 1;
    float rest = (scaled - whole) * 0.6931472f;
    float sum = Math.fma(rest, 1 / 720f, 1 / 120f);
    sum = Math.fma(rest, sum, 1 / 24f);
    sum = Math.fma(rest, sum, 1 / 6f);
    sum = Math.fma(rest, sum, 0.5f);
    sum = Math.fma(rest, sum, 1);
    sum = Math.fma(rest, sum, 1);
    return sum * Float.intBitsToFloat(whole + 127 << 23);
  }

  /// Models may compute anything; what is no number is a page that nobody wants.
  private static float number(float bound) {
    return bound > -Float.MAX_VALUE ? Math.min(bound, Float.MAX_VALUE) : -Float.MAX_VALUE;
  }
}
