package io.kvasir.engine;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/// The small reference models with random weights.
final class ReferenceModels {
  private ReferenceModels() {}

  /// The folder of one; skips the calling test, counted, where the reference data is absent.
  static Path model(String name) {
    Path folder =
        Path.of(System.getProperty("kvasir.root", ".."))
            .toAbsolutePath()
            .normalize()
            .resolveSibling("shared/reference/hf")
            .resolve(name);
    Assumptions.assumeTrue(
        Files.isDirectory(folder), "[no-reference-data] the reference models are absent");
    return folder;
  }
}
