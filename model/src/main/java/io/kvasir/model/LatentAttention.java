package io.kvasir.model;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Ops.Columns;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.model.AttentionConfig.LatentConfig;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Multi-head latent attention in its absorbed form (DeepSeek-V2, arXiv 2405.04434, section 2.1 and
/// appendix C): the cache keeps one row `[latent | rotated key]` per token for all heads. A head's
/// key matrix is applied to its query instead of to every cached row, and its value matrix to its
/// output, so attention is MQA over the latent rows.
///
/// ```
/// q_h = [nope | rope]     query row of head h:  [ Wuk_h^T nope | rope ]
/// kv  = [latent | rope]   key row:              [ norm(latent) | rope ],  value row: its first `rank`
/// out = Wo [ Wuv_h o_h ]_h
/// ```
final class LatentAttention implements AttentionBlock {
  private final LatentConfig latent;
  private final AttentionSpec spec;
  private final @Nullable Linear queryDown;
  private final @Nullable Norm queryNorm;
  private final Linear queries;
  private final Linear rows;
  private final Norm latentNorm;
  private final HeadLinear absorbKeys;
  private final HeadLinear expandValues;
  private final Linear output;
  private final Rope queryRope;
  private final Rope keyRope;
  private final Columns latentOut;
  private final Columns latentBack;
  private final Columns queryTail;
  private final Buffer queryLatent;
  private final Buffer q;
  private final Buffer absorbed;
  private final Buffer row;
  private final Buffer latentRow;
  private final Buffer attended;
  private final Buffer expanded;

  LatentAttention(LayerContext context, WeightLoader loader) {
    AttentionConfig config = context.layer().attention();
    LatentConfig sizes = config.latent();
    RopeConfig rope = config.rope();
    if (sizes == null || rope == null) {
      throw new IllegalArgumentException("layer " + context.index() + " has no latent rows");
    }
    latent = sizes;
    int heads = config.heads();
    int queryDim = latent.nopeDim() + latent.ropeDim();
    int rowDim = latent.rowDim();
    Workspace workspace = context.workspace();
    boolean lowRank = loader.tensors().has(context.role("attn_q_a.weight"));
    queryDown = lowRank ? loader.linear(context.role("attn_q_a"), -1, context.width()) : null;
    int queryInputs = queryDown == null ? context.width() : queryDown.outputs();
    queryNorm = lowRank ? loader.norm(context.role("attn_q_a_norm"), queryInputs) : null;
    queries =
        loader.linear(
            context.role(lowRank ? "attn_q_b" : "attn_q"), (long) heads * queryDim, queryInputs);
    rows = loader.linear(context.role("attn_kv_a_mqa"), rowDim, context.width());
    latentNorm = loader.norm(context.role("attn_kv_a_norm"), latent.rank());
    HeadMatrices matrices = HeadMatrices.load(context, loader, config);
    absorbKeys = new HeadLinear(matrices.keys(), queryDim, 0, rowDim, 0);
    expandValues = new HeadLinear(matrices.values(), latent.rank(), 0, config.valueDim(), 0);
    output =
        loader.linear(
            context.role("attn_output"), context.width(), (long) heads * config.valueDim());
    queryRope = new Rope(rope.table(), rope.interleaved(), heads, queryDim, latent.nopeDim());
    keyRope = new Rope(rope.table(), rope.interleaved(), 1, rowDim, latent.rank());
    latentOut = new Columns(0, 0, latent.rank());
    latentBack = new Columns(0, 0, latent.rank());
    queryTail =
        new Columns(latent.nopeDim(), queryDim, latent.rank(), rowDim, latent.ropeDim(), heads);
    spec =
        new AttentionSpec(
            context.model().cacheLayer(context.index()),
            heads,
            1,
            rowDim,
            latent.rank(),
            config.scale(),
            config.softcap(),
            null);
    queryLatent = workspace.buffer("queryLatent", queryInputs);
    q = workspace.buffer("q", heads * queryDim);
    absorbed = workspace.buffer("absorbed", heads * rowDim);
    row = workspace.buffer("row", rowDim);
    latentRow = workspace.buffer("latentRow", latent.rank());
    attended = workspace.buffer("attended", heads * latent.rank());
    expanded = workspace.buffer("expanded", heads * config.valueDim());
  }

  @Override
  public void forward(Step step, Buffer in, Buffer out) {
    Backend backend = step.backend();
    int count = step.rows();
    if (queryDown != null && queryNorm != null) {
      backend.linear(queryDown, in, queryLatent, count);
      backend.normalize(queryNorm, queryLatent, queryLatent, count);
      backend.linear(queries, queryLatent, q, count);
    } else {
      backend.linear(queries, in, q, count);
    }
    backend.rope(queryRope, step.positions(), q, count);
    if (step.queryFactors().length > 0) {
      backend.scaleRows(q, count, step.queryFactors());
    }
    backend.headLinear(absorbKeys, q, absorbed, count);
    backend.copyColumns(queryTail, q, absorbed, count);
    backend.linear(rows, in, row, count);
    backend.copyColumns(latentOut, row, latentRow, count);
    backend.normalize(latentNorm, latentRow, latentRow, count);
    backend.copyColumns(latentBack, latentRow, row, count);
    backend.rope(keyRope, step.positions(), row, count);
    step.observe(spec, in, absorbed, row, null);
    backend.attend(step.batch(), spec, absorbed, row, null, attended);
    backend.headLinear(expandValues, attended, expanded, count);
    backend.linear(output, expanded, out, count);
  }

  /// Per head `Wuk^T [rank, nope]` and `Wuv [valueDim, rank]`.
  private record HeadMatrices(List<Weight> keys, List<Weight> values) {

    static HeadMatrices load(LayerContext context, WeightLoader loader, AttentionConfig config) {
      Tensor splitKeys = loader.tensors().optional(context.role("attn_k_b.weight"));
      Tensor splitValues = loader.tensors().optional(context.role("attn_v_b.weight"));
      if (splitKeys != null && splitValues != null) {
        loader.tensors().ignore(context.role("attn_kv_b.weight"));
        return separate(loader, config, splitKeys, splitValues);
      }
      return joined(context, loader, config);
    }

    /// GGUF's split form: keys are stored transposed already.
    private static HeadMatrices separate(
        WeightLoader loader, AttentionConfig config, Tensor keys, Tensor values) {
      LatentConfig latent = latent(config);
      List<Weight> keyWeights = new ArrayList<>();
      List<Weight> valueWeights = new ArrayList<>();
      for (int h = 0; h < config.heads(); h++) {
        Tensor key = keys.sliceRows((long) h * latent.rank(), (h + 1L) * latent.rank());
        keyWeights.add(loader.weight(WeightLoader.checked(key, latent.rank(), latent.nopeDim())));
        long from = (long) h * config.valueDim();
        valueWeights.add(loader.weight(values.sliceRows(from, from + config.valueDim())));
      }
      return new HeadMatrices(keyWeights, valueWeights);
    }

    /// One matrix `[H * (nope + valueDim), rank]`; key parts are transposed into f32 once.
    private static HeadMatrices joined(
        LayerContext context, WeightLoader loader, AttentionConfig config) {
      LatentConfig latent = latent(config);
      int nope = latent.nopeDim();
      int perHead = nope + config.valueDim();
      Tensor both =
          loader.matrix(context.role("attn_kv_b"), (long) config.heads() * perHead, latent.rank());
      List<Weight> keys = new ArrayList<>();
      List<Weight> values = new ArrayList<>();
      for (int h = 0; h < config.heads(); h++) {
        long from = (long) h * perHead;
        float[] key = both.sliceRows(from, from + nope).toFloats();
        Tensor plain = loader.floats(both.name(), key, nope, latent.rank());
        keys.add(loader.weight(loader.transposed(plain)));
        values.add(loader.weight(both.sliceRows(from + nope, from + perHead)));
      }
      return new HeadMatrices(keys, values);
    }

    private static LatentConfig latent(AttentionConfig config) {
      LatentConfig latent = config.latent();
      if (latent == null) {
        throw new IllegalArgumentException("no latent rows");
      }
      return latent;
    }
  }
}
