package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// Keeps what the last query attends to, the same tokens for all heads of a layer (TOVA, arXiv
/// 2401.06104).
final class TovaPruner implements TokenPruner {

  @Override
  public String name() {
    return "tova";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.queries(1);
  }

  @Override
  public Budgets budgets() {
    return Budgets.SHARED;
  }

  @Override
  public int interval() {
    return TokenPruners.ANSWER_INTERVAL;
  }

  @Override
  public void score(HeadView head, float[] scores) {
    Arrays.fill(scores, 0, head.rows(), 0);
    AttentionStrip strip = new AttentionStrip(head);
    for (int query = 0; query < head.queries().count(); query++) {
      strip.addProbabilities(query, scores);
    }
  }
}
