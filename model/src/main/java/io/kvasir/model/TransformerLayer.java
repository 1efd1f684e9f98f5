package io.kvasir.model;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Tensor;
import org.jspecify.annotations.Nullable;

/// One layer: attention and feed-forward, each between optional norms, added to the stream one
/// after the other or together. Which norms exist says the model file:
///
/// ```
/// sequential   x += s * post(attention(pre(x)));   x += s * post(ffn(pre(x)))
/// parallel     x += s * attention(pre(x)) + s * ffn(pre'(x))      pre' = pre where the model has one norm
/// ```
final class TransformerLayer {
  private final boolean parallel;
  private final float residualScale;
  private final @Nullable Norm attentionNorm;
  private final @Nullable Norm attentionOutNorm;
  private final @Nullable Norm ffnNorm;
  private final @Nullable Norm ffnOutNorm;
  private final AttentionBlock attention;
  private final FeedForwardBlock ffn;
  private final @Nullable PerLayerInput perLayerInput;
  private final float outputScale;
  private final Buffer normed;
  private final Buffer attended;
  private final Buffer fed;

  TransformerLayer(LayerContext context, WeightLoader loader, boolean groupedQkv) {
    ModelConfig model = context.model();
    parallel = model.parallel();
    residualScale = model.residualScale();
    attentionNorm = loader.rowNorm(context.role("attn_norm"), model.width());
    attentionOutNorm = loader.optionalNorm(context.role("post_attention_norm"), model.width());
    ffnNorm = loader.rowNorm(context.role("ffn_norm"), model.width());
    ffnOutNorm = loader.optionalNorm(context.role("post_ffw_norm"), model.width());
    attention =
        context.layer().attention().latent() == null
            ? new HeadAttention(context, loader, groupedQkv)
            : new LatentAttention(context, loader);
    ffn = FeedForwardBlock.load(context, loader);
    perLayerInput = PerLayerInput.load(context, loader);
    Tensor scale = loader.tensors().optional(context.role("layer_output_scale.weight"));
    outputScale = scale == null ? 1 : scale.toFloats()[0];
    normed = context.workspace().buffer("normed", model.width());
    attended = context.workspace().buffer("attentionOut", model.width());
    fed = context.workspace().buffer("ffnOut", model.width());
  }

  /// Adds the layer to the stream `x [rows, width]`.
  ///
  /// @param perLayer the stream of per-layer inputs, where the model has one
  void forward(Step step, Buffer x, @Nullable Buffer perLayer) {
    Backend backend = step.backend();
    int rows = step.rows();
    Buffer in = normalized(step, attentionNorm, x);
    attention.forward(step, in, attended);
    if (attentionOutNorm != null) {
      backend.normalize(attentionOutNorm, attended, attended, rows);
    }
    if (parallel) {
      Buffer ffnIn = ffnNorm == null ? in : normalized(step, ffnNorm, x);
      ffn.forward(step, ffnIn, x, fed);
      backend.add(x, attended, rows, residualScale);
    } else {
      backend.add(x, attended, rows, residualScale);
      ffn.forward(step, normalized(step, ffnNorm, x), x, fed);
      if (ffnOutNorm != null) {
        backend.normalize(ffnOutNorm, fed, fed, rows);
      }
    }
    backend.add(x, fed, rows, residualScale);
    if (perLayerInput != null && perLayer != null) {
      perLayerInput.forward(step, x, perLayer);
    }
    if (outputScale != 1) {
      backend.scale(x, rows, outputScale);
    }
  }

  private Buffer normalized(Step step, @Nullable Norm norm, Buffer x) {
    if (norm == null) {
      return x;
    }
    step.backend().normalize(norm, x, normed, step.rows());
    return normed;
  }
}
