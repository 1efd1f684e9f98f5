package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Xielu;
import org.jspecify.annotations.Nullable;

/// The feed-forward part of a layer.
sealed interface FeedForwardBlock {

  /// @param in `[rows, width]`, normalized
  /// @param residual the stream before this part's norm
  /// @param out `[rows, width]`
  void forward(Step step, Buffer in, Buffer residual, Buffer out);

  static FeedForwardBlock load(LayerContext context, WeightLoader loader) {
    if (loader.tensors().has(context.role("xielu_alpha_p.weight"))) {
      return Trained.load(context, loader);
    }
    MoeConfig moe = context.layer().moe();
    boolean dense =
        loader.tensors().has(context.role("ffn_up.weight"))
            || loader.tensors().has(context.role("ffn_gate_up.weight"));
    if (moe == null || !loader.tensors().has(context.role("ffn_gate_inp.weight"))) {
      return new Dense(dense(context, loader, ""));
    }
    MixtureOfExperts experts = new ExpertLoader(context, loader, moe).load();
    return dense ? Both.load(context, loader, experts) : new Routed(experts);
  }

  /// A plain network from the weights whose names end in `suffix`.
  static FeedForward dense(LayerContext context, WeightLoader loader, String suffix) {
    Activation activation = context.model().activation();
    String gateUp = context.role("ffn_gate_up" + suffix);
    Tensor fused = loader.optionalMatrix(gateUp);
    if (fused == null && !loader.tensors().has(context.role("ffn_gate" + suffix + ".weight"))) {
      // GGUF keeps Phi-3's fused pair under the name of the upper projection.
      Tensor up = loader.optionalMatrix(context.role("ffn_up" + suffix));
      Tensor down = loader.optionalMatrix(context.role("ffn_down" + suffix));
      fused = up != null && down != null && up.rows() == 2 * down.columns() ? up : null;
    }
    Linear gate;
    Linear up;
    if (fused != null) {
      Tensor bias = loader.bias(gateUp);
      long inner = fused.rows() / 2;
      gate = half(loader, fused, bias, 0, inner);
      up = half(loader, fused, bias, inner, 2 * inner);
    } else {
      String gateRole = context.role("ffn_gate" + suffix);
      boolean gated = loader.tensors().has(gateRole + ".weight");
      gate = gated ? loader.linear(gateRole, -1, context.width()) : null;
      up = loader.linear(context.role("ffn_up" + suffix), -1, context.width());
    }
    Linear down = loader.linear(context.role("ffn_down" + suffix), context.width(), up.outputs());
    return new FeedForward(gate, up, down, activation);
  }

  private static Linear half(
      WeightLoader loader, Tensor fused, @Nullable Tensor bias, long from, long to) {
    Tensor slice = bias == null ? null : bias.reshape(bias.elements(), 1).sliceRows(from, to);
    return loader.linear(fused.sliceRows(from, to), slice);
  }

  /// One network for every row.
  record Dense(FeedForward network) implements FeedForwardBlock {
    @Override
    public void forward(Step step, Buffer in, Buffer residual, Buffer out) {
      step.backend().feedForward(network, in, out, step.rows());
    }
  }

  /// One network without a gate whose activation was trained (Apertus).
  record Trained(Linear up, Xielu activation, Linear down, Buffer inner)
      implements FeedForwardBlock {

    static Trained load(LayerContext context, WeightLoader loader) {
      Linear up = loader.linear(context.role("ffn_up"), -1, context.width());
      Linear down = loader.linear(context.role("ffn_down"), context.width(), up.outputs());
      Xielu activation =
          Xielu.trained(
              number(context, loader, "alpha_p"),
              number(context, loader, "alpha_n"),
              number(context, loader, "beta"),
              number(context, loader, "eps"));
      Buffer inner = context.workspace().buffer("ffnInner", up.outputs());
      return new Trained(up, activation, down, inner);
    }

    private static float number(LayerContext context, WeightLoader loader, String name) {
      return loader.tensors().required(GgufXielu.role(context.index(), name)).toFloats()[0];
    }

    @Override
    public void forward(Step step, Buffer in, Buffer residual, Buffer out) {
      Backend backend = step.backend();
      backend.linear(up, in, inner, step.rows());
      backend.activate(activation, inner, step.rows());
      backend.linear(down, inner, out, step.rows());
    }
  }

  /// A mixture of experts.
  record Routed(MixtureOfExperts experts) implements FeedForwardBlock {
    @Override
    public void forward(Step step, Buffer in, Buffer residual, Buffer out) {
      step.backend().mixtureOfExperts(experts, in, in, out, step.rows());
    }
  }

  /// A plain network and a mixture side by side, each with norms of its own (Gemma 4).
  record Both(
      FeedForward network,
      MixtureOfExperts experts,
      Norm routerNorm,
      Norm expertNorm,
      Norm networkOutNorm,
      Norm expertOutNorm,
      Buffer routerIn,
      Buffer expertIn,
      Buffer expertOut)
      implements FeedForwardBlock {

    static Both load(LayerContext context, WeightLoader loader, MixtureOfExperts experts) {
      int width = context.width();
      Workspace workspace = context.workspace();
      return new Both(
          dense(context, loader, ""),
          experts,
          new Norm(Norm.Kind.RMS, null, null, context.model().normEpsilon(), width),
          loader.norm(context.role("pre_ffw_norm_2"), width),
          loader.norm(context.role("post_ffw_norm_1"), width),
          loader.norm(context.role("post_ffw_norm_2"), width),
          workspace.buffer("routerIn", width),
          workspace.buffer("expertIn", width),
          workspace.buffer("expertOut", width));
    }

    @Override
    public void forward(Step step, Buffer in, Buffer residual, Buffer out) {
      Backend backend = step.backend();
      int rows = step.rows();
      backend.feedForward(network, in, out, rows);
      backend.normalize(networkOutNorm, out, out, rows);
      backend.normalize(routerNorm, residual, routerIn, rows);
      backend.normalize(expertNorm, residual, expertIn, rows);
      backend.mixtureOfExperts(experts, routerIn, expertIn, expertOut, rows);
      backend.normalize(expertOutNorm, expertOut, expertOut, rows);
      backend.add(out, expertOut, rows, 1);
    }
  }
}
