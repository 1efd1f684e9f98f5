package io.kvasir.engine;

import io.kvasir.compute.TokenDraws;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// How the next token is chosen from the model's scores. See [Sampler] for the order of the steps.
///
/// @param temperature divisor of the scores; 0 takes the likeliest token, the lowest id of equal
///   ones
/// @param topK keep the k likeliest; 0 for all
/// @param topP keep the fewest likeliest whose probabilities reach this sum; 1 for all
/// @param minP keep those at least this times as likely as the likeliest; 0 for all
/// @param seed equal seeds give equal tokens for equal prompts
/// @param penalties on tokens that have occurred
/// @param logitBias added to the scores of token ids
public record SamplingOptions(
    float temperature,
    int topK,
    float topP,
    float minP,
    long seed,
    Penalties penalties,
    Map<Integer, Float> logitBias) {

  public static final SamplingOptions GREEDY =
      new SamplingOptions(0, 0, 1, 0, 0, Penalties.NONE, Map.of());

  public SamplingOptions {
    logitBias = Map.copyOf(logitBias);
    require(temperature >= 0 && temperature <= 100, "temperature", temperature, "0 to 100");
    require(topK >= 0, "top-k", topK, "0 or more");
    require(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1");
    require(minP >= 0 && minP <= 1, "min-p", minP, "0 to 1");
  }

  /// Penalties on tokens that have occurred.
  ///
  /// @param repetition divides positive and multiplies negative scores of tokens in prompt or
  ///   answer (arXiv 1909.05858); 1 for none
  /// @param presence subtracted once from tokens in the answer
  /// @param frequency subtracted from tokens in the answer once per occurrence
  public record Penalties(float repetition, float presence, float frequency) {
    public static final Penalties NONE = new Penalties(1, 0, 0);

    public Penalties {
      require(repetition > 0, "repetition penalty", repetition, "above 0");
      require(Float.isFinite(presence), "presence penalty", presence, "a number");
      require(Float.isFinite(frequency), "frequency penalty", frequency, "a number");
    }
  }

  /// How a token is drawn from the model's scores, where nothing is done to them before; else null.
  TokenDraws.@Nullable Rule rule() {
    return penalties.equals(Penalties.NONE) && logitBias.isEmpty()
        ? new TokenDraws.Rule(temperature, topK, topP, minP)
        : null;
  }

  public SamplingOptions withTemperature(float value) {
    return new SamplingOptions(value, topK, topP, minP, seed, penalties, logitBias);
  }

  public SamplingOptions withSeed(long value) {
    return new SamplingOptions(temperature, topK, topP, minP, value, penalties, logitBias);
  }

  private static void require(boolean holds, String name, Number value, String range) {
    if (!holds) {
      throw new IllegalArgumentException("%s must be %s, not %s".formatted(name, range, value));
    }
  }
}
