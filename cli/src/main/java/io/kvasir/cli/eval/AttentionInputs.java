package io.kvasir.cli.eval;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionObserver;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Keeps what each layer's attention computes with: all keys and values of one sequence and the
/// queries at some positions. Layers that read another's rows are left out.
final class AttentionInputs implements AttentionObserver {
  private final Backend backend;
  private final boolean[] sampled;
  private final List<@Nullable Layer> layers = new ArrayList<>();

  /// @param sampled at which positions queries are kept
  AttentionInputs(Backend backend, boolean[] sampled) {
    this.backend = backend;
    this.sampled = sampled.clone();
  }

  /// One layer's rows by position.
  ///
  /// @param queries null where none was sampled
  /// @param values empty where values are part of the keys
  record Layer(
      AttentionSpec spec,
      List<float @Nullable []> queries,
      List<float[]> keys,
      List<float[]> values) {}

  @Override
  public void attending(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer in,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v) {
    if (k == null) {
      return;
    }
    while (layers.size() <= spec.cacheLayer()) {
      layers.add(null);
    }
    Layer layer = layers.get(spec.cacheLayer());
    if (layer == null) {
      layer = new Layer(spec, new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
      layers.set(spec.cacheLayer(), layer);
    }
    for (int row = 0; row < batch.rows(); row++) {
      int position = batch.positions()[row];
      layer.queries().add(sampled[position] ? row(q, row) : null);
      layer.keys().add(row(k, row));
      if (v != null) {
        layer.values().add(row(v, row));
      }
    }
  }

  private float[] row(Buffer rows, int index) {
    float[] row = new float[rows.columns()];
    backend.read(rows, index, row, 0);
    return row;
  }

  /// What was seen, by cache layer.
  List<@Nullable Layer> layers() {
    return layers;
  }
}
