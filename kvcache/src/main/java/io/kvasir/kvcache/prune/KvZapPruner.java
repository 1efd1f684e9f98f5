package io.kvasir.kvcache.prune;

/// [KvZipPruner]'s choice without the second reading (KVzap, arXiv 2601.07891): a linear function
/// of each token's hidden state, trained once per model, guesses the logarithm of the score; see
/// [LinearScorer].
final class KvZapPruner implements TokenPruner {

  @Override
  public String name() {
    return "kvzap";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.given(PruneNeeds.Given.LINEAR);
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
