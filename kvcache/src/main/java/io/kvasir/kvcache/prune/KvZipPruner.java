package io.kvasir.kvcache.prune;

/// Keeps what the model needs to repeat the text (KVzip, arXiv 2505.23416): a row's score is the
/// strongest attention that it gets from any query while the model reads the same tokens again. The
/// score depends on the text alone and not on what will be asked about it.
///
/// The second reading is the engine's; see [AttentionStrip#strongest].
final class KvZipPruner implements TokenPruner {

  @Override
  public String name() {
    return "kvzip";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.given(PruneNeeds.Given.REPEAT);
  }

  @Override
  public Budgets budgets() {
    return Budgets.MODEL;
  }

  @Override
  public int interval() {
    return 0;
  }

  @Override
  public void score(HeadView head, float[] scores) {
    System.arraycopy(head.given(), 0, scores, 0, head.rows());
  }
}
