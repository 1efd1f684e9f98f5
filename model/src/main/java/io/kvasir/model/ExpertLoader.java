package io.kvasir.model;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Puts the experts of a layer together from however the file keeps them: one tensor each, stacked
/// `[E, out, in]`, or stacked with gate and upper projection fused.
final class ExpertLoader {
  private final LayerContext context;
  private final WeightLoader loader;
  private final MoeConfig moe;

  ExpertLoader(LayerContext context, WeightLoader loader, MoeConfig moe) {
    this.context = context;
    this.loader = loader;
    this.moe = moe;
  }

  MixtureOfExperts load() {
    boolean shared =
        loader.tensors().has(context.role("ffn_up_shexp.weight"))
            || loader.tensors().has(context.role("ffn_gate_up_shexp.weight"));
    boolean sharedGate = loader.tensors().has(context.role("ffn_gate_inp_shexp.weight"));
    return new MixtureOfExperts(
        router(),
        routing(),
        experts(),
        shared ? FeedForwardBlock.dense(context, loader, "_shexp") : null,
        sharedGate ? sharedGate() : null);
  }

  private Linear sharedGate() {
    Tensor gate = loader.tensors().required(context.role("ffn_gate_inp_shexp.weight"));
    return loader.linear(gate.reshape(1, gate.elements()), null);
  }

  private Routing routing() {
    Buffer bias = loader.optionalVector(context.role("exp_probs_b.weight"));
    if (bias == null) {
      bias = loader.optionalVector(context.role("exp_probs_b.bias"));
    }
    return new Routing(
        moe.expertsPerToken(),
        moe.sigmoid(),
        bias,
        loader.optionalVector(context.role("ffn_exps_scale.weight")),
        moe.groups(),
        moe.keptGroups(),
        moe.groupTop(),
        moe.normalize(),
        moe.scale(),
        moe.mixerRange(),
        moe.weighsInput());
  }

  /// The router; where it scales its input's columns (Gemma 4), the factors are folded into a copy.
  private Linear router() {
    String role = context.role("ffn_gate_inp");
    Tensor factors = loader.tensors().optional(context.role("ffn_gate_inp_scale.weight"));
    if (factors == null) {
      return loader.linear(role, moe.experts(), context.width());
    }
    float[] weights = loader.matrix(role, moe.experts(), context.width()).toFloats();
    float[] scale = factors.toFloats();
    float root = (float) (1 / Math.sqrt(context.width()));
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= scale[i % scale.length] * root;
    }
    return loader.linear(
        loader.floats(role, weights, moe.experts(), context.width()), loader.bias(role));
  }

  private List<FeedForward> experts() {
    Tensor fused = loader.optionalMatrix(context.role("ffn_gate_up_exps"));
    List<FeedForward> experts = new ArrayList<>();
    for (int e = 0; e < moe.experts(); e++) {
      experts.add(fused != null ? fusedExpert(fused, e) : expert(e));
    }
    return experts;
  }

  private FeedForward expert(int e) {
    return network(part("ffn_gate_exps", e), part("ffn_up_exps", e), e);
  }

  private FeedForward network(Linear gate, Linear up, int e) {
    Activation activation = context.model().activation();
    return new FeedForward(gate, up, part("ffn_down_exps", e), activation);
  }

  /// Expert `e` of a role: a tensor of its own, or a slice of the stacked one.
  private Linear part(String name, int e) {
    String stacked = context.role(name);
    Tensor all = loader.optionalMatrix(stacked);
    if (all == null) {
      return loader.linear(stacked + "." + e, -1, -1);
    }
    return loader.linear(all.at(e), biasRow(stacked, e));
  }

  private FeedForward fusedExpert(Tensor fused, int e) {
    Tensor both = fused.at(e);
    Tensor bias = biasRow(context.role("ffn_gate_up_exps"), e);
    int inner = (int) (both.rows() / 2);
    if (loader.interleavesGateUp()) {
      both = loader.rearranged(both, 2 * inner, row -> TensorOrder.deinterleaved(row, inner));
      bias =
          bias == null
              ? null
              : loader.rearrangedVector(
                  bias, 2 * inner, row -> TensorOrder.deinterleaved(row, inner));
    }
    return network(half(both, bias, 0, inner), half(both, bias, inner, 2 * inner), e);
  }

  private Linear half(Tensor both, @Nullable Tensor bias, int from, int to) {
    Tensor slice = bias == null ? null : bias.reshape(bias.elements(), 1).sliceRows(from, to);
    return loader.linear(both.sliceRows(from, to), slice);
  }

  private @Nullable Tensor biasRow(String role, int e) {
    Tensor bias = loader.bias(role);
    return bias == null ? null : bias.at(e);
  }
}
