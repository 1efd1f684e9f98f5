package io.kvasir.acceptance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// Finds the reference data beside the checkout; tests that need it are skipped, and counted,
/// without.
final class ReferenceData {
  private static final Path ROOT =
      Path.of(System.getProperty("kvasir.root", "..")).toAbsolutePath().normalize();

  private ReferenceData() {}

  /// The project's own folder.
  static Path project() {
    return ROOT;
  }

  /// A folder of `../shared`, or a skip with a reason.
  static Path folder(String name) {
    Path folder = ROOT.resolveSibling("shared").resolve(name);
    Assumptions.assumeTrue(
        Files.isDirectory(folder), "[no-reference-data] ../shared/" + name + " is absent");
    return folder;
  }

  /// The names of the Hugging Face cases, sorted.
  static List<String> huggingFaceCases() {
    Path folder = folder("reference/hf");
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(entry -> Files.exists(entry.resolve("golden.safetensors")))
          .map(entry -> entry.getFileName().toString())
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
