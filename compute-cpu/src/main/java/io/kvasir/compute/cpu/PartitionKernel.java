package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Attention of a unit's queries over one partition of the positions, and the merging of
/// partitions.
///
/// Positions are cut into partitions of [#TOKENS] at absolute multiples, whatever the block size,
/// the chunk of the prompt or the number of threads. Within a partition, for query `q`:
///
/// ```
/// s[j] = cap(scale * q . k[j]) - slope * distance
/// m = max s        p[j] = e^(s[j] - m)        l = sum p[j]        acc = sum p[j] v[j]
/// ```
///
/// Partitions are merged in ascending order by rescaling to the larger maximum (online softmax,
/// Milakov & Gimelshein, arXiv 1805.02867; split over the keys as in Flash-Decoding, Dao et al.
/// 2023). Decode and prefill run this same code, so a position's result does not depend on which.
///
/// Keys and values are read tile by tile (16 positions, which never straddle a block), decoded once
/// for all queries of the unit. f32 throughout. One instance per thread; arrays grow and stay.
final class PartitionKernel {
  static final int TOKENS = 256;
  private static final int TILE = KvLayout.TILE_TOKENS;

  /// Largest score, sum of weights and weighted sum of values of each query after [#run].
  float[] max = {};

  float[] sum = {};
  float[] acc = {};

  private final KvRows rows = new KvRows();
  private final DotTile dots = new DotTile();
  private final ValueTile valueTile = new ValueTile();
  private final float[] lanes = new float[L];

  private float[] tile = {};
  private float[] scores = {};
  private int[] from = {};
  private int[] to = {};

  /// Computes [#max], [#sum] and [#acc] `[queries, valueDim]` of the unit over one partition.
  void run(AttentionCall call, AttentionUnit unit, int partition) {
    AttentionSpec spec = call.spec();
    int queries = unit.rows * spec.groupSize();
    grow(spec, queries);
    int start = partition * TOKENS;
    int first = TOKENS;
    int last = 0;
    for (int i = 0; i < unit.rows; i++) {
      int position = call.batch().positions()[unit.firstRow + i];
      int low = Math.max(0, call.group().firstVisible(position) - start);
      int high = Math.min(TOKENS, position + 1 - start);
      first = Math.min(first, low);
      last = Math.max(last, high);
      for (int r = 0; r < spec.groupSize(); r++) {
        from[i * spec.groupSize() + r] = low;
        to[i * spec.groupSize() + r] = high;
      }
    }
    Arrays.fill(acc, 0, queries * spec.valueDim(), 0f);
    scoreTiles(call, unit, start, first / TILE * TILE, last);
    for (int q = 0; q < queries; q++) {
      int r = q % spec.groupSize();
      int position = call.batch().positions()[unit.firstRow + q / spec.groupSize()];
      score(spec, q, call.slope(unit.head, r), position - start);
      softmax(q);
    }
    addValueTiles(call, unit, start, first / TILE * TILE, last);
  }

  private void grow(AttentionSpec spec, int queries) {
    int rowSize = TILE * Math.max(spec.keyDim(), spec.valueDim());
    if (tile.length < rowSize) {
      tile = new float[rowSize];
    }
    if (max.length < queries) {
      max = new float[queries];
      sum = new float[queries];
      from = new int[queries];
      to = new int[queries];
      scores = new float[queries * TOKENS];
    }
    if (acc.length < queries * spec.valueDim()) {
      acc = new float[queries * spec.valueDim()];
    }
  }

  /// `scores[q, j] = q . k[j]`.
  private void scoreTiles(AttentionCall call, AttentionUnit unit, int start, int first, int last) {
    BlockTable table = call.batch().table(unit.sequence);
    int dim = call.spec().keyDim();
    int group = call.group().index();
    long offset = call.keyOffset(unit.head);
    KvFormat format = call.keyFormat();
    rows.blockTokens = call.layout().blockTokens();
    rows.dim = dim;
    for (int t = first; t < last; t += TILE) {
      int count = Math.min(TILE, last - t);
      call.open(rows, table, group, start + t, offset);
      rows.read(format, (start + t) % rows.blockTokens, count, tile);
      int queries = unit.rows * call.spec().groupSize();
      for (int q = 0; q < queries; q += DotTile.SIDE) {
        for (int i = 0; i < DotTile.SIDE; i++) {
          dots.inputRow(i, queryAt(call, unit, Math.min(q + i, queries - 1)));
        }
        for (int j = 0; j < count; j += DotTile.SIDE) {
          dots.weightRows(0, dim, j, count - 1);
          dots.multiply(tile, call.q(), dim);
          for (int i = 0; i < Math.min(DotTile.SIDE, queries - q); i++) {
            System.arraycopy(dots.sums, i * DotTile.SIDE, scores, (q + i) * TOKENS + t + j, 4);
          }
        }
      }
    }
  }

  private static int queryAt(AttentionCall call, AttentionUnit unit, int query) {
    int group = call.spec().groupSize();
    return call.queryAt(unit.firstRow + query / group, unit.head, query % group);
  }

  /// Turns the products of a query into logits.
  ///
  /// @param at the query's own position in the partition; beyond it in earlier ones
  private void score(AttentionSpec spec, int query, float slope, int at) {
    int base = query * TOKENS;
    int low = base + from[query];
    int high = base + to[query];
    if (low >= high) {
      return;
    }
    for (int i = low; i < high; i++) {
      scores[i] *= spec.scale();
    }
    if (spec.softcap() != 0) {
      VectorMath.softcap(scores, low, high, spec.softcap());
    }
    if (slope != 0) {
      for (int i = low; i < high; i++) {
        scores[i] += slope * (i - base - at);
      }
    }
  }

  /// Turns the logits of a query into weights. Positions that it does not see get weight 0 as far
  /// as vectors reach; lanes are those of the absolute position.
  private void softmax(int query) {
    int base = query * TOKENS;
    int low = base + from[query];
    int high = base + to[query];
    if (low >= high) {
      max[query] = Float.NEGATIVE_INFINITY;
      sum[query] = 0;
      return;
    }
    int lowVector = low & -L;
    int highVector = high + L - 1 & -L;
    Arrays.fill(scores, lowVector, low, Float.NEGATIVE_INFINITY);
    Arrays.fill(scores, high, highVector, Float.NEGATIVE_INFINITY);
    FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (int i = lowVector; i < highVector; i += L) {
      most = most.max(FloatVector.fromArray(F, scores, i));
    }
    float m = most.reduceLanes(VectorOperators.MAX);
    for (int i = lowVector; i < highVector; i++) {
      scores[i] -= m;
    }
    VectorMath.exp(scores, lowVector, highVector);
    max[query] = m;
    sum[query] = RowOps.sum(scores, lowVector, highVector - lowVector, lanes);
  }

  private void addValueTiles(
      AttentionCall call, AttentionUnit unit, int start, int first, int last) {
    BlockTable table = call.batch().table(unit.sequence);
    int queries = unit.rows * call.spec().groupSize();
    ValueTile v = valueTile;
    v.dim = call.spec().valueDim();
    v.values = tile;
    v.weights = scores;
    v.weightStride = TOKENS;
    v.acc = acc;
    v.valueStride = call.valueRowSize();
    int group = call.group().index();
    long offset = call.valueOffset(unit.head);
    KvFormat format = call.valueFormat();
    rows.dim = v.valueStride;
    for (int t = first; t < last; t += TILE) {
      int count = Math.min(TILE, last - t);
      call.open(rows, table, group, start + t, offset);
      rows.read(format, (start + t) % rows.blockTokens, count, tile);
      v.weightAt = t;
      int q = 0;
      while (q < queries) {
        if (q + 4 <= queries && seesAll(q, t, count)) {
          v.addFour(q, 0, count);
          q += 4;
        } else {
          v.addOne(q, Math.max(0, from[q] - t), Math.min(count, to[q] - t));
          q++;
        }
      }
    }
  }

  /// True where the four queries see all of a tile.
  private boolean seesAll(int query, int tileStart, int count) {
    return Math.max(from[query], from[query + 3]) <= tileStart
        && Math.min(to[query], to[query + 3]) >= tileStart + count;
  }
}
