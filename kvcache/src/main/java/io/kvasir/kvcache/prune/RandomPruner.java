package io.kvasir.kvcache.prune;

/// Keeps tokens by lot: the null that a policy has to beat (arXiv 2609.03430 finds that few do on
/// long answers). The lot of a row is drawn from its layer, head and position, so that it is the
/// same each time.
final class RandomPruner implements TokenPruner {
  private static final long SEED = 0x5eed_0f_4b76_6173L;

  @Override
  public String name() {
    return "random";
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
    HeadView.Shape shape = head.shape();
    long stream = mixed(SEED + ((long) shape.layer() << 32 | shape.head()));
    for (int row = 0; row < head.rows(); row++) {
      scores[row] = (mixed(stream ^ head.positions()[row]) >>> 40) * 0x1p-24f;
    }
  }

  /// The finalizer of SplittableRandom (Steele, Lea and Flood, OOPSLA 2014).
  private static long mixed(long value) {
    long z = value + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
