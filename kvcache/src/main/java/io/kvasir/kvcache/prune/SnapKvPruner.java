package io.kvasir.kvcache.prune;

/// Keeps what the last 64 queries attend to (SnapKV, arXiv 2404.14469):
///
/// ```
/// s_j = pool5( mean over queries i and heads of softmax_j(q_i k_j) )
/// ```
///
/// Each query sees the rows up to its own; those that cannot be removed take part in the softmax.
/// The mean over five neighbours keeps what stands beside a strong row, counting rows outside the
/// removable ones as 0.
final class SnapKvPruner implements TokenPruner {
  static final int QUERIES = 64;
  private static final int POOL_RADIUS = 2;

  @Override
  public String name() {
    return "snapkv";
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
    return 0;
  }

  @Override
  public void score(HeadView head, float[] scores) {
    float[] mass = new float[head.rows()];
    AttentionStrip strip = new AttentionStrip(head);
    for (int query = 0; query < head.queries().count(); query++) {
      strip.addProbabilities(query, mass);
    }
    float share = 1f / ((2 * POOL_RADIUS + 1) * head.shape().groupSize());
    share /= Math.max(1, head.queries().count());
    for (int row = head.first(); row < head.end(); row++) {
      int from = Math.max(head.first(), row - POOL_RADIUS);
      int to = Math.min(head.end(), row + POOL_RADIUS + 1);
      float sum = 0;
      for (int near = from; near < to; near++) {
        sum += mass[near];
      }
      scores[row] = sum * share;
    }
  }
}
