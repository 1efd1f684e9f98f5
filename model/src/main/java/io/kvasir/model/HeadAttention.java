package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Ops;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Tensor;
import io.kvasir.model.AttentionConfig.HeadRules;
import io.kvasir.model.file.ModelFormatException;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/// Attention with plain heads: MHA, GQA and MQA, with whatever of biases, head norms, rotation,
/// window, caps and sinks the model has.
final class HeadAttention implements AttentionBlock {
  private final AttentionConfig config;
  private final AttentionSpec spec;
  private final Linear queries;
  private final @Nullable Linear keys;
  private final @Nullable Linear values;
  private final Linear output;
  private final @Nullable Norm queryNorm;
  private final @Nullable Norm keyNorm;
  private final @Nullable Norm valueNorm;
  private final @Nullable Linear gate;
  private final boolean scalesQueries;
  private final @Nullable Rope queryRope;
  private final @Nullable Rope keyRope;
  private final Buffer q;
  private final Buffer k;
  private final Buffer v;
  private final Buffer attended;
  private final Buffer gated;

  HeadAttention(LayerContext context, WeightLoader loader, boolean groupedQkv) {
    config = context.layer().attention();
    boolean owner = config.cacheSource() == context.index();
    Projections projections = Projections.load(context, loader, groupedQkv, owner);
    queries = projections.queries();
    keys = projections.keys();
    values = projections.values();
    int heads = config.heads();
    int kvHeads = config.kvHeads();
    int dim = config.headDim();
    gate = gate(context, loader, heads * dim);
    scalesQueries = !context.model().queryScaling().unrotatedOnly() || config.rope() == null;
    output = loader.linear(context.role("attn_output"), context.width(), (long) heads * dim);
    queryNorm = headNorm(context, loader, "attn_q_norm", heads * dim, dim);
    keyNorm = owner ? headNorm(context, loader, "attn_k_norm", kvHeads * dim, dim) : null;
    if (!owner) {
      loader.tensors().ignore(context.role("attn_k_norm.weight"));
    }
    valueNorm =
        config.normalizeValues()
            ? new Norm(Norm.Kind.RMS, null, null, context.model().normEpsilon(), dim)
            : null;
    queryRope = rope(heads);
    keyRope = rope(kvHeads);
    spec =
        new AttentionSpec(
            context.model().cacheLayer(context.index()),
            heads,
            kvHeads,
            dim,
            dim,
            config.scale(),
            config.softcap(),
            loader.optionalVector(context.role("attn_sinks.weight")),
            config.rules().alibi() == 0 ? null : loader.vector(config.rules().slopes(heads)));
    Workspace workspace = context.workspace();
    q = workspace.buffer("q", heads * dim);
    k = workspace.buffer("k", kvHeads * dim);
    v = workspace.buffer("v", kvHeads * dim);
    attended = workspace.buffer("attended", heads * dim);
    gated = workspace.buffer("attentionGate", gate == null ? 1 : heads * dim);
  }

  private static @Nullable Linear gate(LayerContext context, WeightLoader loader, int rows) {
    String role = context.role("attn_gate");
    return loader.tensors().has(role + ".weight")
        ? loader.linear(role, rows, context.width())
        : null;
  }

  /// A norm per head, with one weight for all or one each, or over the whole row.
  private @Nullable Norm headNorm(
      LayerContext context, WeightLoader loader, String name, int rowWidth, int headDim) {
    String role = context.role(name);
    if (config.rules().plainNorm() && config.rope() != null) {
      return new Norm(Norm.Kind.RMS, null, null, context.model().normEpsilon(), headDim);
    }
    if (loader.tensors().has(role + ".0.weight")) {
      return loader.joinedNorm(role, rowWidth / headDim, headDim);
    }
    Tensor weight = loader.tensors().optional(role + ".weight");
    if (weight == null) {
      return null;
    }
    boolean wholeRow = weight.dimensions() == 1 && weight.elements() == rowWidth;
    if (!wholeRow && weight.elements() != headDim && weight.elements() != rowWidth) {
      throw new ModelFormatException(
          "%s fits neither a head of %d nor a row of %d".formatted(weight, headDim, rowWidth));
    }
    return loader.optionalNorm(role, wholeRow ? rowWidth : headDim);
  }

  private @Nullable Rope rope(int heads) {
    RopeConfig rope = config.rope();
    return rope == null
        ? null
        : new Rope(rope.table(), rope.interleaved(), heads, config.headDim(), 0);
  }

  @Override
  public void forward(Step step, Buffer in, Buffer out) {
    Backend backend = step.backend();
    int rows = step.rows();
    // Products of the same rows one behind the other: a device computes them in one launch.
    backend.linear(queries, in, q, rows);
    if (keys != null) {
      backend.linear(keys, in, k, rows);
      if (values != null) {
        backend.linear(values, in, v, rows);
      }
    }
    prepare(step, q, queryNorm, queryRope);
    if (scalesQueries && step.queryFactors().length > 0) {
      backend.scaleRows(q, rows, step.queryFactors());
    }
    if (keys == null) {
      step.observe(spec, in, q, null, null);
      backend.attend(step.batch(), spec, q, null, null, attended);
    } else {
      if (values == null) {
        backend.copyColumns(new Ops.Columns(0, 0, k.columns()), k, v, rows);
      }
      prepare(step, k, keyNorm, keyRope);
      prepare(step, v, valueNorm, null);
      step.observe(spec, in, q, k, v);
      backend.attend(step.batch(), spec, q, k, v, attended);
    }
    if (gate != null) {
      backend.linear(gate, in, gated, rows);
      backend.activate(Activation.SIGMOID, gated, attended, attended, rows);
    }
    backend.linear(output, attended, out, rows);
  }

  private void prepare(Step step, Buffer x, @Nullable Norm norm, @Nullable Rope rope) {
    Backend backend = step.backend();
    HeadRules rules = config.rules();
    if (rules.clip() > 0) {
      backend.clamp(x, step.rows(), rules.clip());
    }
    if (norm != null && !rules.normLast()) {
      backend.normalize(norm, x, x, step.rows());
    }
    if (rope != null) {
      backend.rope(rope, step.positions(), x, step.rows());
    }
    if (norm != null && rules.normLast()) {
      backend.normalize(norm, x, x, step.rows());
    }
  }

  /// The three projections, from separate or fused weights.
  private record Projections(Linear queries, @Nullable Linear keys, @Nullable Linear values) {

    static Projections load(
        LayerContext context, WeightLoader loader, boolean groupedQkv, boolean owner) {
      AttentionConfig attention = context.layer().attention();
      int dim = attention.headDim();
      int queryRows = attention.heads() * dim;
      int kvRows = attention.kvHeads() * dim;
      Tensor fused = loader.optionalMatrix(context.role("attn_qkv"));
      if (fused != null) {
        return split(context, loader, fused, groupedQkv);
      }
      Linear queries = loader.linear(context.role("attn_q"), queryRows, context.width());
      if (!owner) {
        for (String name : new String[] {"attn_k.weight", "attn_v.weight"}) {
          loader.tensors().ignore(context.role(name));
        }
        return new Projections(queries, null, null);
      }
      Linear keys = loader.linear(context.role("attn_k"), kvRows, context.width());
      boolean valuesAreKeys =
          attention.normalizeValues() && !loader.tensors().has(context.role("attn_v.weight"));
      Linear values =
          valuesAreKeys ? null : loader.linear(context.role("attn_v"), kvRows, context.width());
      return new Projections(queries, keys, values);
    }

    private static Projections split(
        LayerContext context, WeightLoader loader, Tensor stored, boolean grouped) {
      AttentionConfig attention = context.layer().attention();
      int dim = attention.headDim();
      int q = attention.heads() * dim;
      int kv = attention.kvHeads() * dim;
      Tensor bias = loader.bias(context.role("attn_qkv"));
      Tensor fused = WeightLoader.checked(stored, q + 2L * kv, context.width());
      if (grouped && !context.gguf()) {
        IntUnaryOperator order = TensorOrder.ungrouped(attention);
        fused = loader.rearranged(fused, q + 2 * kv, order);
        bias = bias == null ? null : loader.rearrangedVector(bias, q + 2 * kv, order);
      }
      return new Projections(
          part(loader, fused, bias, 0, q),
          part(loader, fused, bias, q, q + kv),
          part(loader, fused, bias, q + kv, q + 2 * kv));
    }

    private static Linear part(
        WeightLoader loader, Tensor fused, @Nullable Tensor bias, int from, int to) {
      Tensor slice = bias == null ? null : bias.reshape(bias.elements(), 1).sliceRows(from, to);
      return loader.linear(fused.sliceRows(from, to), slice);
    }
  }
}
