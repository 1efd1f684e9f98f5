package io.kvasir.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Parameters;

/// The model that a command works with.
final class ModelArgument {
  @Parameters(
      arity = "0..1",
      paramLabel = "MODEL",
      description =
          "A GGUF file, a Hugging Face folder, a pulled name, or nothing for the default model.")
  private @Nullable String model;

  /// What was given; null for the default model.
  @Nullable String text() {
    return model;
  }

  /// Finds it.
  ///
  /// @throws FailureException where there is none
  ModelLocation locate(Surroundings surroundings) {
    return ModelLocation.resolve(model, surroundings);
  }
}
