package io.kvasir.model.file;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/// The reference files beside the repository; tests that need them are skipped, with a tag that the
/// suite counts, where they are absent.
final class SharedFiles {
  static final Path ROOT =
      Path.of(System.getProperty("kvasir.root", "..")).resolve("../shared").normalize();

  private SharedFiles() {}

  static Path require(String relative) {
    Path path = ROOT.resolve(relative);
    Assumptions.assumeTrue(Files.exists(path), "[no-reference-data] " + path + " is absent");
    return path;
  }

  static Path defaultGguf() {
    return require("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
  }

  static Path defaultFolder() {
    return require("models/kvasir-stories");
  }
}
