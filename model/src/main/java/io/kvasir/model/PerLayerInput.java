package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Ops.Columns;
import io.kvasir.compute.Weight;
import org.jspecify.annotations.Nullable;

/// A second, narrow embedding that every layer receives its own slice of (Gemma 3n and 4): `x +=
/// norm(Wp (act(Wg x) * slice))`.
final class PerLayerInput {
  private final Linear gate;
  private final Linear projection;
  private final Norm norm;
  private final Activation activation;
  private final Columns slice;
  private final Buffer gated;
  private final Buffer own;
  private final Buffer projected;

  private PerLayerInput(LayerContext context, WeightLoader loader) {
    int width = context.width();
    gate = loader.linear(context.role("inp_gate"), -1, width);
    int inner = gate.outputs();
    projection = loader.linear(context.role("proj"), width, inner);
    norm = loader.norm(context.role("post_norm"), width);
    activation = context.model().activation();
    slice = new Columns(context.index() * inner, 0, inner);
    gated = context.workspace().buffer("perLayerGate", inner);
    own = context.workspace().buffer("perLayerSlice", inner);
    projected = context.workspace().buffer("ffnOut", width);
  }

  static @Nullable PerLayerInput load(LayerContext context, WeightLoader loader) {
    return loader.tensors().has(context.role("inp_gate.weight"))
        ? new PerLayerInput(context, loader)
        : null;
  }

  void forward(Step step, Buffer x, Buffer perLayer) {
    Backend backend = step.backend();
    int rows = step.rows();
    backend.linear(gate, x, gated, rows);
    backend.copyColumns(slice, perLayer, own, rows);
    backend.activate(activation, gated, own, gated, rows);
    backend.linear(projection, gated, projected, rows);
    backend.normalize(norm, projected, projected, rows);
    backend.add(x, projected, rows, 1);
  }

  /// What makes the slices of all layers from the tokens and their embeddings.
  static final class Source {
    private final Weight table;
    private final Linear projection;
    private final Norm norm;
    private final float projectionScale;
    private final float tableScale;
    private final Buffer rows;
    private final Buffer projected;

    private Source(ModelConfig model, WeightLoader loader, Workspace workspace) {
      table = loader.weight(loader.matrix("per_layer_token_embd", -1, -1));
      int total = table.columns();
      int inner = total / model.layers().size();
      projection = loader.linear("per_layer_model_proj", total, model.width());
      norm = loader.norm("per_layer_proj_norm", inner);
      projectionScale = (float) (1 / Math.sqrt(model.width()));
      tableScale = (float) Math.sqrt(inner);
      rows = workspace.buffer("perLayerRows", total);
      projected = workspace.buffer("perLayerProjected", total);
    }

    static @Nullable Source load(ModelConfig model, WeightLoader loader, Workspace workspace) {
      return loader.tensors().has("per_layer_token_embd.weight")
          ? new Source(model, loader, workspace)
          : null;
    }

    /// @return `[rows, layers * inner]`
    Buffer compute(Step step, int[] tokens, Buffer embeddings) {
      Backend backend = step.backend();
      int count = step.rows();
      backend.embed(table, tokens, count, rows);
      backend.linear(projection, embeddings, projected, count);
      backend.scale(projected, count, projectionScale);
      backend.normalize(norm, projected, projected, count);
      backend.add(projected, rows, count, tableScale);
      backend.scale(projected, count, (float) Math.sqrt(0.5));
      return projected;
    }
  }
}
