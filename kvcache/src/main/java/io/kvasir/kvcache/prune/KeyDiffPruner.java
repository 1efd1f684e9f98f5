package io.kvasir.kvcache.prune;

/// Keeps keys that differ from the others (KeyDiff, arXiv 2504.15364):
///
/// ```
/// s_j = -cos(k_j, mean of k_i / |k_i| over all rows of the head)
/// ```
///
/// Needs no queries, so nothing has to be computed again after a cached prefix.
final class KeyDiffPruner implements TokenPruner {

  @Override
  public String name() {
    return "keydiff";
  }

  @Override
  public PruneNeeds needs() {
    return PruneNeeds.KEYS;
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
    int dim = head.shape().keyDim();
    float[] keys = head.keys();
    float[] anchor = new float[dim];
    float[] inverse = new float[head.rows()];
    for (int row = 0; row < head.rows(); row++) {
      float square = 0;
      for (int i = row * dim; i < (row + 1) * dim; i++) {
        square += keys[i] * keys[i];
      }
      inverse[row] = square == 0 ? 0 : (float) (1 / Math.sqrt(square));
      for (int i = 0; i < dim; i++) {
        anchor[i] += keys[row * dim + i] * inverse[row];
      }
    }
    // The anchor's own length is the same for all rows and changes no order.
    for (int row = 0; row < head.rows(); row++) {
      float product = 0;
      for (int i = 0; i < dim; i++) {
        product += keys[row * dim + i] * anchor[i];
      }
      scores[row] = -product * inverse[row];
    }
  }
}
