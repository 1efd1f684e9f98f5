package io.kvasir.kvcache.prune;

import java.util.Arrays;

/// What a few queries make of all rows of a head: logits and probabilities, one query at a time.
public final class AttentionStrip {
  private static final float LOG2_E = (float) (1 / Math.log(2));
  private static final float LN_2 = (float) Math.log(2);

  private final HeadView head;
  private final KeyTiles keys;
  private final float[] row;

  AttentionStrip(HeadView head) {
    this.head = head;
    this.keys = new KeyTiles(head.keys(), head.rows(), head.shape().keyDim());
    this.row = new float[head.rows()];
  }

  /// The strongest attention that each row gets from any query of any head that reads it, among all
  /// rows that the view has: `max over i of softmax_j(q_i k_j)`.
  ///
  /// @param strongest `[rows]`, raised where a query attends more
  public static void strongest(HeadView head, float[] strongest) {
    AttentionStrip strip = new AttentionStrip(head);
    for (int query = 0; query < head.queries().count(); query++) {
      int visible = strip.visible(query);
      for (int member = 0; member < head.shape().groupSize(); member++) {
        strip.logits(query, member, strip.row);
        softmax(strip.row, 0, visible);
        for (int j = 0; j < visible; j++) {
          strongest[j] = Math.max(strongest[j], strip.row[j]);
        }
      }
    }
  }

  /// Rows that the query sees: those up to its own position.
  int visible(int query) {
    int at = Arrays.binarySearch(head.positions(), head.queries().first() + query);
    return at < 0 ? -at - 1 : at + 1;
  }

  /// Logits of one head's query for the rows that it sees.
  void logits(int query, int member, float[] out) {
    HeadView.Shape shape = head.shape();
    int visible = visible(query);
    int from = (query * shape.groupSize() + member) * shape.keyDim();
    keys.products(head.queries().rows(), from, visible, out);
    float cap = shape.softcap();
    for (int j = 0; j < visible; j++) {
      out[j] *= shape.scale();
    }
    for (int j = 0; j < visible && cap != 0; j++) {
      out[j] = (float) (cap * Math.tanh(out[j] / cap));
    }
  }

  /// Adds the probabilities of all heads' query to what each row has.
  void addProbabilities(int query, float[] mass) {
    int visible = visible(query);
    for (int member = 0; member < head.shape().groupSize(); member++) {
      logits(query, member, row);
      softmax(row, 0, visible);
      for (int j = 0; j < visible; j++) {
        mass[j] += row[j];
      }
    }
  }

  /// `x[from .. end - 1]` becomes its softmax.
  static void softmax(float[] x, int from, int end) {
    float most = Float.NEGATIVE_INFINITY;
    for (int j = from; j < end; j++) {
      most = Math.max(most, x[j]);
    }
    for (int j = from; j < end; j++) {
      x[j] = exp(x[j] - most);
    }
    float sum = 0;
    for (int j = from; j < end; j++) {
      sum += x[j];
    }
    float inverse = 1 / sum;
    for (int j = from; j < end; j++) {
      x[j] *= inverse;
    }
  }

  /// `e^x` for `x <= 0` to within 6e-6 of its value, 0 below -87: `2^n` from the exponent's bits
  /// times the Taylor sum of `2^f`, `|f| <= 1/2`. Plain operations, which are the same everywhere.
  static float exp(float x) {
    float power = Math.max(x, -87f) * LOG2_E;
    int n = (int) (power - 0.5f);
    float f = (power - n) * LN_2;
    float sum = f * (1 / 120f + f * (1 / 720f));
    sum = 1 + f * (1 + f * (1 / 2f + f * (1 / 6f + f * (1 / 24f + sum))));
    return x < -87f ? 0 : sum * Float.intBitsToFloat(n + 127 << 23);
  }
}
