package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// Keeps the heavy hitters: what gathered most attention, per query that could see it (H2O, arXiv
/// 2306.14048).
///
/// The gathering is over the queries since the last pruning, those of the answer so far or the last
/// of the prompt; older attention has decided the earlier prunings. So no sum outlives a pruning
/// and a sequence that is computed again is pruned alike.
final class H2oPruner implements TokenPruner {
  static final int QUERIES = 192;

  @Override
  public String name() {
    return "h2o";
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
    Arrays.fill(scores, 0, head.rows(), 0);
    AttentionStrip strip = new AttentionStrip(head);
    int count = head.queries().count();
    for (int query = 0; query < count; query++) {
      strip.addProbabilities(query, scores);
    }
    for (int row = 0; row < head.rows(); row++) {
      int unseen = Math.max(0, head.positions()[row] - head.queries().first());
      scores[row] /= Math.max(1, count - unseen);
    }
  }
}
