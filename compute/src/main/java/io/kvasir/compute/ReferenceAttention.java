package io.kvasir.compute;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Scalar attention over the paged cache: all scores of a query first, then the softmax, then the
/// values.
final class ReferenceAttention {
  private float[] scores = new float[64];
  private float[] rotated = {};
  private float[] encoded = {};

  /// Encodes the batch's new key and value rows into their slots.
  void store(AttentionMetadata batch, AttentionSpec spec, float[] k, float @Nullable [] v) {
    KvLayout layout = batch.layout();
    LayerGroup group = layout.groupOf(spec.cacheLayer());
    KvBasis basis = batch.basis(spec.cacheLayer());
    encoded = new float[Math.max(spec.keyDim(), spec.valueDim())];
    for (int r = 0; r < batch.rows(); r++) {
      BlockTable table = batch.table(batch.sequenceOfRow(r));
      int position = batch.positions()[r];
      int block = table.block(group.index(), position / layout.blockTokens());
      int slot = position % layout.blockTokens();
      for (int head = 0; head < spec.kvHeads(); head++) {
        int row = r * spec.kvHeads() + head;
        KvPlane keys = keyPlane(batch, spec, block, head);
        System.arraycopy(k, row * spec.keyDim(), encoded, 0, spec.keyDim());
        basis.enterKeys(encoded, 0, spec.keyDim(), head);
        group.kv().keyFormat().encode(encoded, 0, keys, slot);
        if (v != null) {
          KvPlane values = valuePlane(batch, spec, block, head);
          System.arraycopy(v, row * spec.valueDim(), encoded, 0, spec.valueDim());
          basis.turnValues(encoded, 0, spec.valueDim());
          group.kv().valueFormat().encode(encoded, 0, values, slot);
        }
      }
    }
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
    for (int r = 0; r < batch.rows(); r++) {
      for (int h = 0; h < spec.heads(); h++) {
        float sink = sinks == null ? Float.NEGATIVE_INFINITY : sinks[h];
        float slope = slopes == null ? 0 : slopes[h];
        attendHead(batch, spec, new Query(q, r, h, sink, slope), out);
      }
    }
  }

  // Scratch rows, never compared or shown.
  @SuppressWarnings("ArrayRecordComponent")
  private record Query(float[] q, int row, int head, float sink, float slope) {}

  private void attendHead(AttentionMetadata batch, AttentionSpec spec, Query query, float[] out) {
    int last = batch.positions()[query.row()];
    int first = batch.layout().groupOf(spec.cacheLayer()).firstVisible(last);
    if (scores.length <= last - first) {
      scores = new float[2 * (last - first + 1)];
    }
    float max = query.sink();
    float[] row = new float[Math.max(spec.keyDim(), spec.valueDim())];
    int qOffset = (query.row() * spec.heads() + query.head()) * spec.keyDim();
    KvBasis basis = batch.basis(spec.cacheLayer());
    rotated = Arrays.copyOfRange(query.q(), qOffset, qOffset + spec.keyDim());
    basis.enterQuery(rotated, 0, spec.keyDim());
    int kvHead = query.head() / spec.groupSize();
    float centre = basis.centreProduct(rotated, 0, spec.keyDim(), kvHead);
    for (int p = first; p <= last; p++) {
      readRow(batch, spec, query, p, true, row);
      double dot = centre;
      for (int i = 0; i < spec.keyDim(); i++) {
        dot += (double) rotated[i] * row[i];
      }
      float score = (float) (dot * spec.scale());
      score = spec.softcap() == 0 ? score : ScalarMath.softcap(score, spec.softcap());
      scores[p - first] = score + query.slope() * (p - last);
      max = Math.max(max, scores[p - first]);
    }
    double sum = query.sink() == Float.NEGATIVE_INFINITY ? 0 : Math.exp(query.sink() - max);
    double[] acc = new double[spec.valueDim()];
    for (int p = first; p <= last; p++) {
      double weight = Math.exp(scores[p - first] - max);
      sum += weight;
      readRow(batch, spec, query, p, false, row);
      for (int i = 0; i < acc.length; i++) {
        acc[i] += weight * row[i];
      }
    }
    int outOffset = (query.row() * spec.heads() + query.head()) * spec.valueDim();
    for (int i = 0; i < acc.length; i++) {
      out[outOffset + i] = (float) (acc[i] / sum);
    }
    basis.turnValues(out, outOffset, spec.valueDim());
  }

  /// Decodes the key or value row of a position into `row`.
  private static void readRow(
      AttentionMetadata batch,
      AttentionSpec spec,
      Query query,
      int position,
      boolean key,
      float[] row) {
    KvLayout layout = batch.layout();
    LayerGroup group = layout.groupOf(spec.cacheLayer());
    BlockTable table = batch.table(batch.sequenceOfRow(query.row()));
    int block = table.block(group.index(), position / layout.blockTokens());
    int slot = position % layout.blockTokens();
    int head = query.head() / spec.groupSize();
    if (key || group.kv().valueDim() == 0) {
      KvPlane plane = keyPlane(batch, spec, block, head);
      group.kv().keyFormat().decode(plane, slot, row, 0);
    } else {
      KvPlane plane = valuePlane(batch, spec, block, head);
      group.kv().valueFormat().decode(plane, slot, row, 0);
    }
  }

  private static KvPlane keyPlane(
      AttentionMetadata batch, AttentionSpec spec, int block, int head) {
    long offset = batch.layout().keyOffset(spec.cacheLayer(), head);
    PlaneKind kind = batch.layout().groupOf(spec.cacheLayer()).kv().keyKind();
    return plane(batch, block, offset, spec.keyDim(), kind);
  }

  private static KvPlane valuePlane(
      AttentionMetadata batch, AttentionSpec spec, int block, int head) {
    long offset = batch.layout().valueOffset(spec.cacheLayer(), head);
    return plane(batch, block, offset, spec.valueDim(), PlaneKind.VALUES);
  }

  private static KvPlane plane(
      AttentionMetadata batch, int block, long offset, int dim, PlaneKind kind) {
    HostStorage storage = (HostStorage) batch.storage();
    return new KvPlane(
        storage.segment(block),
        storage.offset(block) + offset,
        batch.layout().blockTokens(),
        dim,
        kind);
  }
}
