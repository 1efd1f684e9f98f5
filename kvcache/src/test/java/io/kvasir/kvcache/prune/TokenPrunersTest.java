package io.kvasir.kvcache.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/// Each policy against its formula written down term by term.
final class TokenPrunersTest {
  private static final long SEED = 20_261_122;

  private static void check(String policy, Function<PlainHead, double[]> formula) {
    SplittableRandom random = new SplittableRandom(SEED);
    TokenPruner pruner = TokenPruners.named(policy);
    for (int rows : new int[] {1, 5, 11, 12, 63, 64, 65, 130, 200}) {
      for (boolean gaps : new boolean[] {false, true}) {
        PlainHead head = PlainHead.random(random, rows, pruner.needs().queries(), gaps);
        float[] scores = new float[rows];
        pruner.score(head.view(), scores);
        float[] again = new float[rows];
        Arrays.fill(again, 7);
        pruner.score(head.view(), again);
        double[] expected = formula.apply(head);
        double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
        for (int row = head.view().first(); row < head.view().end(); row++) {
          String what = policy + " of row " + row + " of " + rows + ", seed " + SEED;
          double most = 1e-4 * Math.abs(expected[row]) + 1e-5 * largest;
          assertThat((double) scores[row]).as(what).isCloseTo(expected[row], within(most));
          assertThat(again[row]).as(what + " again").isEqualTo(scores[row]);
        }
      }
    }
  }

  private static double[] byRow(PlainHead head, Function<Integer, Double> score) {
    double[] scores = new double[head.view().rows()];
    for (int row = head.view().first(); row < head.view().end(); row++) {
      scores[row] = score.apply(row);
    }
    return scores;
  }

  /// Mean attention of a row over queries and heads.
  private static double[] attention(PlainHead head) {
    double[] mean = new double[head.view().rows()];
    int count = head.queries().length;
    int group = head.view().shape().groupSize();
    for (int query = 0; query < count; query++) {
      for (int member = 0; member < group; member++) {
        double[] p = head.probabilities(query, member);
        Arrays.setAll(mean, row -> mean[row] + p[row] / (count * group));
      }
    }
    return mean;
  }

  @Test
  void window_score_growsWithPosition() {
    check("window", head -> byRow(head, row -> (double) row));
  }

  @Test
  void random_score_isOfLayerHeadAndPositionAlone() {
    SplittableRandom random = new SplittableRandom(SEED);
    TokenPruner pruner = TokenPruners.named("random");
    HeadView all = PlainHead.random(random, 1000, 0, false).view();
    float[] scores = new float[1000];
    pruner.score(all, scores);
    HeadView pruned = PlainHead.random(random, 600, 0, true).view();
    float[] some = new float[600];
    pruner.score(pruned, some);
    double sum = 0;
    for (int row = 0; row < 600; row++) {
      if (pruned.positions()[row] < 1000) {
        assertThat(some[row]).isEqualTo(scores[pruned.positions()[row]]);
      }
      sum += some[row];
    }
    assertThat(sum / 600).isBetween(0.45, 0.55);
    assertThat(Arrays.stream(box(scores)).distinct().count()).isGreaterThan(990);
    assertThat(TokenPruners.named("random").needs()).isEqualTo(PruneNeeds.NOTHING);
  }

  private static Float[] box(float[] x) {
    Float[] boxed = new Float[x.length];
    Arrays.setAll(boxed, i -> x[i]);
    return boxed;
  }

  @Test
  void snapkv_score_isPooledAttentionOfTheLastQueries() {
    Function<PlainHead, double[]> formula =
        head -> {
          double[] mean = attention(head);
          return byRow(
              head,
              row -> {
                double sum = 0;
                for (int near = row - 2; near <= row + 2; near++) {
                  boolean inside = near >= head.view().first() && near < head.view().end();
                  sum += inside ? mean[near] / 5 : 0;
                }
                return sum;
              });
        };
    check("snapkv", formula);
    check("adakv", formula);
  }

  @Test
  void keydiff_score_isTheKeysDistanceFromTheirMeanDirection() {
    // The score leaves out the anchor's length, which no comparison of two rows sees.
    check(
        "keydiff",
        head -> {
          double[] anchor = new double[head.view().shape().keyDim()];
          for (double[] key : head.keys()) {
            double length = Math.sqrt(PlainHead.dot(key, key));
            Arrays.setAll(anchor, i -> anchor[i] + key[i] / length);
          }
          double length = Math.sqrt(PlainHead.dot(anchor, anchor));
          return byRow(head, row -> -PlainHead.cosine(head.keys()[row], anchor) * length);
        });
  }

  @Test
  void expected_score_isTheMeanOfExponentialsOfNormalQueries() {
    check(
        "expected",
        head -> {
          HeadView.Shape shape = head.view().shape();
          double[] mass = new double[head.view().rows()];
          for (int member = 0; member < shape.groupSize(); member++) {
            double[] logits = new double[mass.length];
            Arrays.fill(logits, Double.NEGATIVE_INFINITY);
            for (int row = head.view().first(); row < logits.length; row++) {
              // The mean and variance of q k over the queries are m k and k C k.
              double[] products = new double[head.queries().length];
              for (int query = 0; query < products.length; query++) {
                products[query] = PlainHead.dot(head.queries()[query][member], head.keys()[row]);
              }
              double mean = Arrays.stream(products).average().orElse(0);
              double square =
                  Arrays.stream(products).map(x -> (x - mean) * (x - mean)).average().orElse(0);
              logits[row] = shape.scale() * mean + shape.scale() * shape.scale() * square / 2;
            }
            double[] p = PlainHead.softmax(logits);
            Arrays.setAll(mass, row -> mass[row] + p[row] / shape.groupSize());
          }
          return byRow(
              head,
              row -> {
                double[] value = head.values()[row];
                return (mass[row] + 0.01) * Math.sqrt(PlainHead.dot(value, value));
              });
        });
  }

  @Test
  void rkv_score_isImportanceLessRedundancy() {
    check(
        "rkv",
        head -> {
          double[] important = importance(head);
          double[] redundant = redundancy(head);
          return byRow(
              head,
              row -> {
                double most = 0;
                int to = Math.min(head.view().end(), row + 4);
                for (int near = Math.max(head.view().first(), row - 3); near < to; near++) {
                  most = Math.max(most, important[near]);
                }
                return 0.07 * most - 0.93 * redundant[row];
              });
        });
  }

  private static double[] importance(PlainHead head) {
    double[] mean = new double[head.view().rows()];
    int count = head.queries().length;
    for (int i = 0; i < count; i++) {
      int query = i;
      double[] most = new double[mean.length];
      Arrays.setAll(
          most,
          row -> {
            double best = Double.NEGATIVE_INFINITY;
            for (int member = 0; member < head.view().shape().groupSize(); member++) {
              best = Math.max(best, head.logit(query, member, row));
            }
            return best;
          });
      double[] p = PlainHead.softmax(most);
      Arrays.setAll(mean, row -> mean[row] + p[row] / count);
    }
    return mean;
  }

  private static double[] redundancy(PlainHead head) {
    int rows = head.view().rows();
    double[][] alike = new double[rows][rows];
    for (int i = 0; i < rows; i++) {
      int newest = -1;
      for (int j = 0; j < rows; j++) {
        alike[i][j] = i == j ? 0 : PlainHead.cosine(head.keys()[i], head.keys()[j]);
        newest = alike[i][j] > 0.5 ? j : newest;
      }
      if (newest >= 0) {
        alike[i][newest] = 0;
      }
    }
    double[] mean = new double[rows];
    for (double[] row : alike) {
      Arrays.setAll(mean, j -> mean[j] + row[j] / rows);
    }
    return PlainHead.softmax(mean);
  }

  @Test
  void tova_score_isTheLastQuerysAttention() {
    check(
        "tova",
        head -> {
          double[] mean = attention(head);
          return byRow(head, row -> mean[row] * head.view().shape().groupSize());
        });
  }

  @Test
  void h2o_score_isAttentionPerQueryThatSawTheRow() {
    check(
        "h2o",
        head -> {
          double[] mean = attention(head);
          int count = head.queries().length;
          return byRow(
              head,
              row -> {
                int saw = 0;
                for (int query = 0; query < count; query++) {
                  saw += head.sees(query, row) ? 1 : 0;
                }
                return mean[row] * head.view().shape().groupSize() * count / Math.max(1, saw);
              });
        });
  }

  @Test
  void kvzipAndKvzap_score_areGiven() {
    for (String policy : new String[] {"kvzip", "kvzap"}) {
      check(policy, head -> byRow(head, row -> (double) head.view().given()[row]));
    }
  }

  @Test
  void strongest_ofAllQueries_isTheirMaximum() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int rows : new int[] {1, 70, 129}) {
      PlainHead head = PlainHead.random(random, rows, 40, true);
      float[] strongest = new float[rows];
      AttentionStrip.strongest(head.view(), strongest);
      double[] expected = new double[rows];
      for (int query = 0; query < head.queries().length; query++) {
        for (int member = 0; member < head.view().shape().groupSize(); member++) {
          double[] p = head.probabilities(query, member);
          Arrays.setAll(expected, row -> Math.max(expected[row], p[row]));
        }
      }
      for (int row = 0; row < rows; row++) {
        assertThat((double) strongest[row]).isCloseTo(expected[row], within(1e-6));
      }
    }
  }

  @Test
  void exp_ofNegatives_isClose() {
    for (float x = 0; x > -95; x -= 0.0137f) {
      double exact = x < -87 ? 0 : Math.exp(x);
      assertThat((double) AttentionStrip.exp(x)).isCloseTo(exact, within(6e-6 * exact));
    }
    assertThat(AttentionStrip.exp(Float.NEGATIVE_INFINITY)).isZero();
    assertThat(AttentionStrip.exp(0)).isEqualTo(1);
  }

  /// A row that the queries look for, and whose key is like no other, stays by any policy that
  /// looks at queries or keys.
  @Test
  void score_plantedNeedle_isBest() {
    for (String policy : new String[] {"snapkv", "adakv", "keydiff", "expected", "tova", "h2o"}) {
      TokenPruner pruner = TokenPruners.named(policy);
      HeadView head = needle(pruner.needs().queries());
      float[] scores = new float[head.rows()];
      pruner.score(head, scores);
      float best = Float.NEGATIVE_INFINITY;
      for (int row = head.first(); row < head.end(); row++) {
        best = Math.max(best, scores[row]);
      }
      assertThat(scores[57]).as(policy).isEqualTo(best);
    }
  }

  private static HeadView needle(int queryCount) {
    SplittableRandom random = new SplittableRandom(SEED);
    int rows = 200;
    int dim = 8;
    int[] positions = new int[rows];
    float[] keys = new float[rows * dim];
    float[] values = new float[rows * dim];
    float[] queries = new float[queryCount * dim];
    Arrays.setAll(positions, i -> i);
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < dim; i++) {
        boolean planted = row == 57;
        keys[row * dim + i] = (planted ? -6f : 3f) + (float) random.nextGaussian() * 0.3f;
        values[row * dim + i] = 1;
      }
    }
    for (int i = 0; i < queries.length; i++) {
      queries[i] = -2f + (float) random.nextGaussian() * 0.1f;
    }
    int count = Math.min(queryCount, rows);
    return new HeadView(
        new HeadView.Shape(0, 0, 1, dim, dim, 0.35f, 0),
        positions,
        4,
        136,
        keys,
        values,
        new HeadView.Queries(rows - count, count, queries),
        new float[0]);
  }
}
