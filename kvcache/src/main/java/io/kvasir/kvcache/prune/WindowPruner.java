package io.kvasir.kvcache.prune;

/// Keeps the newest tokens (and, as every policy, the first four): StreamingLLM (arXiv 2309.17453)
/// without its renumbering of positions. A baseline; whole blocks go.
final class WindowPruner implements TokenPruner {

  @Override
  public String name() {
    return "window";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.NOTHING;
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
    for (int row = 0; row < head.rows(); row++) {
      scores[row] = row;
    }
  }
}
