package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import java.util.LinkedHashMap;
import java.util.Map;

/// What a cache changes of a model's predictions; divergences in nats.
///
/// @param tokens measured
/// @param sameTop part of the tokens with the same likeliest next token
/// @param rmsChange root mean square of the change of the true token's probability
/// @param perplexityChange as a part of the reference's, with its confidence interval over
///   documents
public record FidelityFigures(
    int tokens,
    Divergence divergence,
    double sameTop,
    double rmsChange,
    double perplexity,
    Interval perplexityChange) {

  /// Statistics of the KL divergence.
  public record Divergence(double mean, double median, double p99, double p999, double max) {}

  static FidelityFigures of(Fidelity fidelity) {
    Divergence divergence =
        new Divergence(
            fidelity.meanDivergence(),
            fidelity.divergenceAt(0.5),
            fidelity.divergenceAt(0.99),
            fidelity.divergenceAt(0.999),
            fidelity.maxDivergence());
    return new FidelityFigures(
        fidelity.count(),
        divergence,
        fidelity.sameTop(),
        fidelity.rmsChange(),
        fidelity.perplexity(),
        fidelity.perplexityChange());
  }

  Json json() {
    Map<String, Json> kl = new LinkedHashMap<>();
    kl.put("mean", Figures.json(divergence.mean()));
    kl.put("median", Figures.json(divergence.median()));
    kl.put("p99", Figures.json(divergence.p99()));
    kl.put("p99_9", Figures.json(divergence.p999()));
    kl.put("max", Figures.json(divergence.max()));
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("tokens", new Json.Int(tokens));
    fields.put("kl", new Json.Obj(kl));
    fields.put("top1_agreement", Figures.json(sameTop));
    fields.put("rms_delta_p", Figures.json(rmsChange));
    fields.put("perplexity", Figures.json(perplexity));
    fields.put("perplexity_change", Figures.json(perplexityChange.value()));
    fields.put("perplexity_change_low", Figures.json(perplexityChange.low()));
    fields.put("perplexity_change_high", Figures.json(perplexityChange.high()));
    return new Json.Obj(fields);
  }
}
