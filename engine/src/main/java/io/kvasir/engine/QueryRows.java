package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.prune.HeadView;
import java.util.Arrays;

/// The queries of some consecutive positions, by layer, as they were computed.
final class QueryRows {
  private final int from;
  private final int end;
  private float[][] rows = new float[0][];

  QueryRows(int from, int end) {
    this.from = from;
    this.end = end;
  }

  int from() {
    return from;
  }

  int count() {
    return end - from;
  }

  /// Whether the queries at a position are wanted.
  boolean wants(int position) {
    return position >= from && position < end;
  }

  /// Keeps row `row` of `q [rows, H * keyDim]`, the queries at `position`.
  void record(Backend backend, int layer, int position, Buffer q, int row) {
    if (rows.length <= layer) {
      rows = Arrays.copyOf(rows, layer + 1);
    }
    if (rows[layer] == null) {
      rows[layer] = new float[count() * q.columns()];
    }
    backend.read(q, row, rows[layer], (position - from) * q.columns());
  }

  /// `[count, H * keyDim]` of a layer.
  ///
  /// @throws IllegalStateException where a layer was not seen
  float[] layer(int layer) {
    if (layer >= rows.length || rows[layer] == null) {
      throw new IllegalStateException("no queries of layer " + layer + " were recorded");
    }
    return rows[layer];
  }

  /// The queries of the heads that read one kv head, `[count, groupSize, keyDim]`.
  HeadView.Queries ofHead(int layer, int head, PrunedLayer shape) {
    int group = shape.groupSize() * shape.kv().keyDim();
    int width = shape.heads() * shape.kv().keyDim();
    float[] all = layer(layer);
    float[] own = new float[count() * group];
    for (int i = 0; i < count(); i++) {
      System.arraycopy(all, i * width + head * group, own, i * group, group);
    }
    return new HeadView.Queries(from, count(), own);
  }
}
