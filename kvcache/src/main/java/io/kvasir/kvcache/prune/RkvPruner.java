package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// Keeps what is attended to and not said again (R-KV, arXiv 2505.24133, as its code does it):
///
/// ```
/// important_j = maxpool7( mean over the last 8 queries of softmax_j(max over heads of q k_j) )
/// redundant_j = softmax_j( mean over rows i of cos(k_i, k_j) )
/// s_j         = 0.07 important_j - 0.93 redundant_j
/// ```
///
/// where `cos(k_i, k_i)` counts as 0 and so does, for each row i, its newest likeness: the last j
/// with a cosine above 0.5. Time is quadratic in the rows.
final class RkvPruner implements TokenPruner {
  static final int QUERIES = 8;
  private static final int POOL_RADIUS = 3;
  private static final float IMPORTANCE = 0.07f;
  private static final float ALIKE = 0.5f;

  @Override
  public String name() {
    return "rkv";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.queries(QUERIES);
  }

  @Override
  public Budgets budgets() {
    return Budgets.HEAD;
  }

  @Override
  public int interval() {
    return TokenPruners.ANSWER_INTERVAL;
  }

  @Override
  public void score(HeadView head, float[] scores) {
    float[] important = importance(head);
    float[] redundant = redundancy(head);
    for (int row = head.first(); row < head.end(); row++) {
      float strongest = 0;
      int to = Math.min(head.end(), row + POOL_RADIUS + 1);
      for (int near = Math.max(head.first(), row - POOL_RADIUS); near < to; near++) {
        strongest = Math.max(strongest, important[near]);
      }
      scores[row] = IMPORTANCE * strongest - (1 - IMPORTANCE) * redundant[row];
    }
  }

  private static float[] importance(HeadView head) {
    int rows = head.rows();
    AttentionStrip strip = new AttentionStrip(head);
    float[] logits = new float[rows];
    float[] most = new float[rows];
    float[] mean = new float[rows];
    int count = head.queries().count();
    for (int query = 0; query < count; query++) {
      int visible = strip.visible(query);
      Arrays.fill(most, Float.NEGATIVE_INFINITY);
      for (int member = 0; member < head.shape().groupSize(); member++) {
        strip.logits(query, member, logits);
        for (int row = 0; row < visible; row++) {
          most[row] = Math.max(most[row], logits[row]);
        }
      }
      AttentionStrip.softmax(most, 0, visible);
      for (int row = 0; row < visible; row++) {
        mean[row] += most[row] / count;
      }
    }
    return mean;
  }

  private static float[] redundancy(HeadView head) {
    int rows = head.rows();
    int dim = head.shape().keyDim();
    float[] unit = new float[rows * dim];
    for (int row = 0; row < rows; row++) {
      float square = 0;
      for (int i = row * dim; i < (row + 1) * dim; i++) {
        square += head.keys()[i] * head.keys()[i];
      }
      float inverse = square == 0 ? 0 : (float) (1 / Math.sqrt(square));
      for (int i = row * dim; i < (row + 1) * dim; i++) {
        unit[i] = head.keys()[i] * inverse;
      }
    }
    KeyTiles tiles = new KeyTiles(unit, rows, dim);
    float[] alike = new float[rows];
    float[] sum = new float[rows];
    for (int row = 0; row < rows; row++) {
      tiles.products(unit, row * dim, rows, alike);
      alike[row] = 0;
      int newest = rows - 1;
      while (newest >= 0 && !(alike[newest] > ALIKE)) {
        newest--;
      }
      if (newest >= 0) {
        alike[newest] = 0;
      }
      for (int j = 0; j < rows; j++) {
        sum[j] += alike[j] / rows;
      }
    }
    AttentionStrip.softmax(sum, 0, rows);
    return sum;
  }
}
