package io.kvasir.kvcache.prune;

/// Keeps what queries to come are expected to attend to (Expected Attention, arXiv 2510.00636).
///
/// Queries are taken to be normal with mean `m` and covariance `C`, both with the mean position
/// encoding of the positions that come next. Then `E exp(s q k) = exp(s m k + s^2 k C k / 2)`, and
///
/// ```
/// s_j = (mean over heads of softmax_j(s m k_j + s^2/2 k_j C k_j) + e) * |v_j|,   e = 0.01
/// ```
final class ExpectedAttentionPruner implements TokenPruner {
  static final int QUERIES = 256;
  private static final float FLOOR = 0.01f;

  @Override
  public String name() {
    return "expected";
  }

  @Override
  public PruneNeeds needs() {
    return new PruneNeeds(
        true, true, QUERIES, PruneNeeds.QueryForm.EXPECTED, PruneNeeds.Given.NOTHING);
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
    HeadView.Shape shape = head.shape();
    int rows = head.rows();
    float[] logits = new float[rows];
    float[] mass = new float[rows];
    for (int member = 0; member < shape.groupSize(); member++) {
      Moments moments = Moments.of(head, member);
      for (int row = head.first(); row < rows; row++) {
        logits[row] = moments.logit(head.keys(), row * shape.keyDim(), shape.scale());
      }
      AttentionStrip.softmax(logits, head.first(), rows);
      for (int row = head.first(); row < rows; row++) {
        mass[row] += logits[row] / shape.groupSize();
      }
    }
    for (int row = head.first(); row < head.end(); row++) {
      scores[row] = (mass[row] + FLOOR) * length(head.values(), row, shape.valueDim());
    }
  }

  private static float length(float[] values, int row, int dim) {
    float square = 0;
    for (int i = row * dim; i < (row + 1) * dim; i++) {
      square += values[i] * values[i];
    }
    return (float) Math.sqrt(square);
  }

  /// Mean and covariance `[dim, dim]` of one query head.
  @SuppressWarnings("ArrayRecordComponent") // made for one call
  private record Moments(float[] mean, float[] covariance, int dim) {

    static Moments of(HeadView head, int member) {
      int dim = head.shape().keyDim();
      int count = head.queries().count();
      float[] rows = head.queries().rows();
      float[] mean = new float[dim];
      float[] covariance = new float[dim * dim];
      for (int query = 0; query < count; query++) {
        int at = (query * head.shape().groupSize() + member) * dim;
        for (int i = 0; i < dim; i++) {
          mean[i] += rows[at + i] / count;
        }
      }
      float[] centred = new float[dim];
      for (int query = 0; query < count; query++) {
        int at = (query * head.shape().groupSize() + member) * dim;
        for (int i = 0; i < dim; i++) {
          centred[i] = rows[at + i] - mean[i];
        }
        for (int i = 0; i < dim; i++) {
          float factor = centred[i] / count;
          for (int j = 0; j < dim; j++) {
            covariance[i * dim + j] += factor * centred[j];
          }
        }
      }
      return new Moments(mean, covariance, dim);
    }

    float logit(float[] keys, int from, float scale) {
      float[] turned = new float[dim];
      float linear = 0;
      for (int i = 0; i < dim; i++) {
        float key = keys[from + i];
        linear += key * mean[i];
        for (int j = 0; j < dim; j++) {
          turned[j] += key * covariance[i * dim + j];
        }
      }
      float quadratic = 0;
      for (int i = 0; i < dim; i++) {
        quadratic += keys[from + i] * turned[i];
      }
      return scale * linear + 0.5f * scale * scale * quadratic;
    }
  }
}
