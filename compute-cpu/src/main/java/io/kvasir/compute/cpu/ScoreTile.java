package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import jdk.incubator.vector.FloatVector;

/// The first half of attention over unpacked key tiles: the products of four queries with the 16
/// tokens of one tile or two.
///
/// A tile is channel-major, `[dim][16]`, so a vector holds one channel of many tokens and a query
/// needs no sum across lanes:
///
/// ```
/// s[q, t] = sum over groups g of scale[g, t] * (sum over channels c of g of x[q, c] * tile[c, t])
/// ```
///
/// Both sums run in ascending order with fused multiply-adds, one accumulator a query and token, so
/// a score is the same whatever the vector width, the other queries and the other tokens are; lanes
/// of tokens that are not there do no harm. 8 multiply-adds for 6 loads a channel.
final class ScoreTile {
  private static final int TILE = KvLayout.TILE_TOKENS;

  /// Numbers of the keys, `[tiles][dim][16]`.
  float[] keys = {};

  /// Scales, `[tiles][groups][16]`, where [#group] is not 0.
  float[] scales = {};

  int dim;

  /// Channels that share a scale; 0 where the numbers are the keys.
  int group;

  /// Query rows.
  float[] x = {};

  /// Where the four queries start in [#x].
  final int[] xAt = new int[4];

  /// Results, those of query `i` of the four from `out[i]` on.
  float[] scores = {};

  final int[] out = new int[4];

  /// Scores of the first tile, and of the second where `tiles` is 2.
  void run(int tiles) {
    // One tile is computed twice over rather than by other code.
    int second = (tiles - 1) * TILE;
    for (int lane = 0; lane < TILE; lane += L) {
      if (group == 0) {
        whole(lane, second * dim + lane, second + lane);
      } else {
        scaled(lane, second * dim + lane, second + lane);
      }
    }
  }

  private void whole(int a, int b, int to) {
    float[] k = keys;
    float[] q = x;
    int x0 = xAt[0];
    int x1 = xAt[1];
    int x2 = xAt[2];
    int x3 = xAt[3];
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    for (int c = 0; c < dim; c++) {
      FloatVector ka = FloatVector.fromArray(F, k, a + c * TILE);
      FloatVector kb = FloatVector.fromArray(F, k, b + c * TILE);
      FloatVector w = FloatVector.broadcast(F, q[x0 + c]);
      a0 = w.fma(ka, a0);
      b0 = w.fma(kb, b0);
      w = FloatVector.broadcast(F, q[x1 + c]);
      a1 = w.fma(ka, a1);
      b1 = w.fma(kb, b1);
      w = FloatVector.broadcast(F, q[x2 + c]);
      a2 = w.fma(ka, a2);
      b2 = w.fma(kb, b2);
      w = FloatVector.broadcast(F, q[x3 + c]);
      a3 = w.fma(ka, a3);
      b3 = w.fma(kb, b3);
    }
    float[] s = scores;
    a0.intoArray(s, out[0] + a);
    a1.intoArray(s, out[1] + a);
    a2.intoArray(s, out[2] + a);
    a3.intoArray(s, out[3] + a);
    b0.intoArray(s, out[0] + to);
    b1.intoArray(s, out[1] + to);
    b2.intoArray(s, out[2] + to);
    b3.intoArray(s, out[3] + to);
  }

  private void scaled(int a, int b, int to) {
    float[] k = keys;
    float[] q = x;
    int x0 = xAt[0];
    int x1 = xAt[1];
    int x2 = xAt[2];
    int x3 = xAt[3];
    FloatVector zero = FloatVector.zero(F);
    FloatVector s0 = zero;
    FloatVector s1 = zero;
    FloatVector s2 = zero;
    FloatVector s3 = zero;
    FloatVector t0 = zero;
    FloatVector t1 = zero;
    FloatVector t2 = zero;
    FloatVector t3 = zero;
    int scaleAt = a;
    int secondScales = to == a ? 0 : (dim + group - 1) / group * TILE;
    for (int from = 0; from < dim; from += group) {
      FloatVector a0 = zero;
      FloatVector a1 = zero;
      FloatVector a2 = zero;
      FloatVector a3 = zero;
      FloatVector b0 = zero;
      FloatVector b1 = zero;
      FloatVector b2 = zero;
      FloatVector b3 = zero;
      int end = Math.min(dim, from + group);
      for (int c = from; c < end; c++) {
        FloatVector ka = FloatVector.fromArray(F, k, a + c * TILE);
        FloatVector kb = FloatVector.fromArray(F, k, b + c * TILE);
        FloatVector w = FloatVector.broadcast(F, q[x0 + c]);
        a0 = w.fma(ka, a0);
        b0 = w.fma(kb, b0);
        w = FloatVector.broadcast(F, q[x1 + c]);
        a1 = w.fma(ka, a1);
        b1 = w.fma(kb, b1);
        w = FloatVector.broadcast(F, q[x2 + c]);
        a2 = w.fma(ka, a2);
        b2 = w.fma(kb, b2);
        w = FloatVector.broadcast(F, q[x3 + c]);
        a3 = w.fma(ka, a3);
        b3 = w.fma(kb, b3);
      }
      FloatVector f = FloatVector.fromArray(F, scales, scaleAt);
      s0 = a0.fma(f, s0);
      s1 = a1.fma(f, s1);
      s2 = a2.fma(f, s2);
      s3 = a3.fma(f, s3);
      f = FloatVector.fromArray(F, scales, scaleAt + secondScales);
      t0 = b0.fma(f, t0);
      t1 = b1.fma(f, t1);
      t2 = b2.fma(f, t2);
      t3 = b3.fma(f, t3);
      scaleAt += TILE;
    }
    float[] s = scores;
    s0.intoArray(s, out[0] + a);
    s1.intoArray(s, out[1] + a);
    s2.intoArray(s, out[2] + a);
    s3.intoArray(s, out[3] + a);
    t0.intoArray(s, out[0] + to);
    t1.intoArray(s, out[1] + to);
    t2.intoArray(s, out[2] + to);
    t3.intoArray(s, out[3] + to);
  }
}
