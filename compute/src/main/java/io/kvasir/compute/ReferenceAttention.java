package io.kvasir.compute;

import io.kvasir.kvcache.format.KvBasis;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Scalar attention over the paged cache: all scores of a query first, then the softmax, then the
/// values. Which rows a query reads, and from where, is told by [ReferenceRows].
final class ReferenceAttention {
  private float[] scores = new float[64];
  private float[] rotated = {};

  /// Encodes the batch's new key and value rows into their slots.
  void store(AttentionMetadata batch, AttentionSpec spec, float[] k, float @Nullable [] v) {
    new ReferenceRows(batch, spec).store(k, v);
  }

  /// @param q `[rows, H * keyDim]`
  /// @param out `[rows, H * valueDim]`
  void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      float[] q,
      float @Nullable [] sinks,
      float @Nullable [] slopes,
      float[] out) {
    ReferenceRows rows = new ReferenceRows(batch, spec);
    for (int r = 0; r < batch.rows(); r++) {
      for (int h = 0; h < spec.heads(); h++) {
        float sink = sinks == null ? Float.NEGATIVE_INFINITY : sinks[h];
        float slope = slopes == null ? 0 : slopes[h];
        attendHead(rows, new Query(q, r, h, sink, slope, slopes), out);
      }
    }
  }

  // Scratch rows, never compared or shown.
  @SuppressWarnings("ArrayRecordComponent")
  private record Query(
      float[] q, int row, int head, float sink, float slope, float @Nullable [] slopes) {}

  private void attendHead(ReferenceRows rows, Query query, float[] out) {
    AttentionMetadata batch = rows.batch();
    AttentionSpec spec = rows.spec();
    int last = batch.positions()[query.row()];
    int kvHead = query.head() / spec.groupSize();
    rows.open(batch.table(batch.sequenceOfRow(query.row())), kvHead, last);
    int[] pages = ReferencePages.read(rows, query.q(), query.row(), kvHead, query.slopes());
    if (pages != null) {
      rows.keepPages(pages);
    }
    KvBasis basis = batch.basis(spec.cacheLayer());
    float centre = turn(basis, spec, query);
    int count = rows.count();
    if (scores.length < count) {
      scores = new float[2 * count];
    }
    float max = query.sink();
    float[] row = new float[Math.max(spec.keyDim(), spec.valueDim())];
    for (int i = 0; i < count; i++) {
      rows.readKey(i, row);
      scores[i] = score(spec, row, centre) + query.slope() * (rows.position(i) - last);
      max = Math.max(max, scores[i]);
    }
    double sum = query.sink() == Float.NEGATIVE_INFINITY ? 0 : Math.exp(query.sink() - max);
    double[] acc = new double[spec.valueDim()];
    for (int i = 0; i < count; i++) {
      double weight = Math.exp(scores[i] - max);
      sum += weight;
      rows.readValue(i, row);
      for (int d = 0; d < acc.length; d++) {
        acc[d] += weight * row[d];
      }
    }
    int outOffset = (query.row() * spec.heads() + query.head()) * spec.valueDim();
    for (int d = 0; d < acc.length; d++) {
      out[outOffset + d] = (float) (acc[d] / sum);
    }
    basis.turnValues(out, outOffset, spec.valueDim());
  }

  /// Brings the query into the basis. @return what the centre adds to each of its products
  private float turn(KvBasis basis, AttentionSpec spec, Query query) {
    int offset = (query.row() * spec.heads() + query.head()) * spec.keyDim();
    rotated = Arrays.copyOfRange(query.q(), offset, offset + spec.keyDim());
    basis.enterQuery(rotated, 0, spec.keyDim());
    return basis.centreProduct(rotated, 0, spec.keyDim(), query.head() / spec.groupSize());
  }

  private float score(AttentionSpec spec, float[] key, float centre) {
    double dot = centre;
    for (int i = 0; i < spec.keyDim(); i++) {
      dot += (double) rotated[i] * key[i];
    }
    float score = (float) (dot * spec.scale());
    return spec.softcap() == 0 ? score : ScalarMath.softcap(score, spec.softcap());
  }
}
