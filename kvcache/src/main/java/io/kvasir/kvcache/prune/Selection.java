package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// Turns scores into the rows that stay. Of equal scores the later row, head and layer win, so a
/// selection is a function of its arguments.
public final class Selection {
  /// The part of an equal share that [Budgets#LAYER] leaves to every head (AdaKV's alpha).
  private static final double SURE_SHARE = 0.2;

  private final PruneScope scope;
  private final Budgets budgets;
  private final boolean[][][] kept;
  private final int[][][] positions;

  private Selection(PruneScope scope, Budgets budgets, int[][][] positions) {
    this.scope = scope;
    this.budgets = budgets;
    this.positions = positions;
    this.kept = new boolean[positions.length][][];
  }

  /// What stays of the first `scope.tokens()` positions.
  ///
  /// @param positions `[layer][head][row]` of the rows there are, ascending; no heads for layers
  ///   that are not pruned
  /// @param scores `[layer][head][row]`
  /// @return `[layer][head]` ascending positions below `scope.tokens()`
  public static int[][][] select(
      PruneScope scope, Budgets budgets, int[][][] positions, float[][][] scores) {
    Selection selection = new Selection(scope, budgets, positions);
    for (int layer = 0; layer < positions.length; layer++) {
      selection.pin(layer);
    }
    if (budgets == Budgets.MODEL) {
      selection.rank(0, positions.length, scores);
    } else {
      for (int layer = 0; layer < positions.length; layer++) {
        selection.chooseIn(layer, scores);
      }
    }
    return selection.result();
  }

  private void pin(int layer) {
    kept[layer] = new boolean[positions[layer].length][];
    for (int head = 0; head < positions[layer].length; head++) {
      int[] rows = positions[layer][head];
      boolean[] stays = new boolean[rows.length];
      for (int row = 0; row < rows.length; row++) {
        stays[row] = rows[row] < scope.first() || rows[row] >= scope.end();
      }
      kept[layer][head] = stays;
    }
  }

  private void chooseIn(int layer, float[][][] scores) {
    int heads = positions[layer].length;
    float[] shared = budgets == Budgets.SHARED && heads > 0 ? mean(scores[layer]) : null;
    int sure = budgets == Budgets.LAYER ? (int) (SURE_SHARE * scope.keep()) : scope.keep();
    for (int head = 0; head < heads; head++) {
      keepBest(layer, head, shared == null ? scores[layer][head] : shared, sure);
    }
    if (budgets == Budgets.LAYER) {
      rank(layer, layer + 1, scores);
    }
  }

  private static float[] mean(float[][] scores) {
    float[] mean = new float[scores[0].length];
    for (float[] head : scores) {
      for (int row = 0; row < mean.length; row++) {
        mean[row] += head[row] / scores.length;
      }
    }
    return mean;
  }

  private void keepBest(int layer, int head, float[] scores, int count) {
    int[] rows = positions[layer][head];
    long[] order = new long[rows.length];
    int candidates = 0;
    for (int row = 0; row < rows.length; row++) {
      if (!kept[layer][head][row]) {
        order[candidates++] = rankOf(scores[row], row);
      }
    }
    Arrays.sort(order, 0, candidates);
    for (int i = Math.max(0, candidates - count); i < candidates; i++) {
      kept[layer][head][(int) order[i]] = true;
    }
  }

  /// Fills what is left of the budget of some layers with the best rows of any of their heads.
  private void rank(int fromLayer, int toLayer, float[][][] scores) {
    long budget = 0;
    int candidates = 0;
    for (int layer = fromLayer; layer < toLayer; layer++) {
      for (int head = 0; head < positions[layer].length; head++) {
        budget += scope.keep();
        for (int row = 0; row < positions[layer][head].length; row++) {
          boolean removable = isRemovable(positions[layer][head][row]);
          budget -= removable && kept[layer][head][row] ? 1 : 0;
          candidates = Math.addExact(candidates, kept[layer][head][row] ? 0 : 1);
        }
      }
    }
    long[] order = new long[candidates];
    int count = 0;
    for (int layer = fromLayer; layer < toLayer; layer++) {
      for (int head = 0; head < positions[layer].length; head++) {
        for (int row = 0; row < positions[layer][head].length; row++) {
          if (!kept[layer][head][row]) {
            order[count] = rankOf(scores[layer][head][row], count);
            count++;
          }
        }
      }
    }
    keepRanked(fromLayer, toLayer, order, budget);
  }

  private void keepRanked(int fromLayer, int toLayer, long[] order, long budget) {
    boolean[] chosen = new boolean[order.length];
    long[] sorted = order.clone();
    Arrays.parallelSort(sorted);
    for (long i = Math.max(0, order.length - budget); i < order.length; i++) {
      chosen[(int) sorted[(int) i]] = true;
    }
    int count = 0;
    for (int layer = fromLayer; layer < toLayer; layer++) {
      for (boolean[] stays : kept[layer]) {
        for (int row = 0; row < stays.length; row++) {
          stays[row] = stays[row] || chosen[count++];
        }
      }
    }
  }

  private boolean isRemovable(int position) {
    return position >= scope.first() && position < scope.end();
  }

  /// A number that sorts by score first and index second; NaN is worst.
  private static long rankOf(float score, int index) {
    int bits = Float.floatToIntBits(Float.isNaN(score) ? Float.NEGATIVE_INFINITY : score + 0f);
    int ordered = bits ^ bits >> 31 & 0x7fff_ffff;
    return (long) ordered << 32 | index;
  }

  private int[][][] result() {
    int[][][] result = new int[positions.length][][];
    for (int layer = 0; layer < positions.length; layer++) {
      int heads = positions[layer].length;
      result[layer] = new int[heads][];
      for (int head = 0; head < heads; head++) {
        result[layer][head] = keptPositions(layer, head);
      }
    }
    return result;
  }

  private int[] keptPositions(int layer, int head) {
    int[] all = positions[layer][head];
    int[] result = new int[all.length];
    int count = 0;
    for (int row = 0; row < all.length; row++) {
      if (kept[layer][head][row] && all[row] < scope.tokens()) {
        result[count++] = all[row];
      }
    }
    return Arrays.copyOf(result, count);
  }
}
