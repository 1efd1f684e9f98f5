package io.kvasir.cli;

import io.kvasir.engine.SamplingOptions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options that say how tokens are chosen.
final class SamplerOptions {
  @Option(
      names = "--temp",
      paramLabel = "T",
      description = "Temperature; 0 always takes the likeliest token. Default: ${DEFAULT-VALUE}.")
  private float temperature = 0.8f;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Choose among the K likeliest; 0 for all. Default: ${DEFAULT-VALUE}.")
  private int topK = 40;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Choose among the likeliest that together reach P. Default: ${DEFAULT-VALUE}.")
  private float topP = 0.95f;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Choose among those at least P times as likely as the likeliest. Default:"
              + " ${DEFAULT-VALUE}.")
  private float minP = 0.05f;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "Equal seeds give equal answers. Default: another one each time.")
  private @Nullable Long seed;

  @Option(
      names = "--repeat-penalty",
      paramLabel = "X",
      description = "Divide the scores of tokens that occurred; 1 for no penalty. Default: 1.")
  private float repetition = 1;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Subtract from the score of tokens in the answer. Default: 0.")
  private float presence;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "Subtract for each occurrence in the answer. Default: 0.")
  private float frequency;

  @Option(
      names = "--logit-bias",
      paramLabel = "ID=X",
      description = "Add X to the score of token ID. May be repeated.")
  private Map<Integer, Float> logitBias = new HashMap<>();

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End the answer before this text. May be repeated.")
  private List<String> stops = List.of();

  /// @throws UsageException where a value is out of its range
  SamplingOptions toOptions() {
    if (seed == null) {
      seed = new SplittableRandom().nextLong() & Integer.MAX_VALUE;
    }
    try {
      return new SamplingOptions(
          temperature,
          topK,
          topP,
          minP,
          seed,
          new SamplingOptions.Penalties(repetition, presence, frequency),
          logitBias);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  /// Texts that end an answer.
  List<String> stops() {
    for (String stop : stops) {
      if (stop.isEmpty()) {
        throw new UsageException("--stop must not be empty");
      }
    }
    return stops;
  }
}
