package io.kvasir.kvcache.prune;

/// [SnapKvPruner]'s scores with more rows for heads that spread their attention (AdaKV, arXiv
/// 2407.11550); see [Budgets#LAYER].
final class AdaKvPruner implements TokenPruner {
  private final SnapKvPruner scorer = new SnapKvPruner();

  @Override
  public String name() {
    return "adakv";
  }

  @Override
  public PruneNeeds needs() {
    return scorer.needs();
  }

  @Override
  public Budgets budgets() {
    return Budgets.LAYER;
  }

  @Override
  public int interval() {
    return 0;
  }

  @Override
  public void score(HeadView head, float[] scores) {
    scorer.score(head, scores);
  }
}
