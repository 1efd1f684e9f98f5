package io.kvasir.acceptance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;

/// Finds the reference data beside the checkout; tests that need it are skipped, and counted,
/// without.
final class ReferenceData {
  private static final Path ROOT =
      Path.of(System.getProperty("kvasir.root", "..")).toAbsolutePath().normalize();

  /// Recurrent layers have no keys and values to page.
  private static final Set<String> RECURRENT =
      Set.of("mamba2", "falcon_h1", "lfm2", "qwen3_next", "qwen3_5");

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

  /// What is checked of a case, a folder with a checkpoint and its golden values.
  interface CaseCheck {
    void run(Path folder, String name) throws IOException;
  }

  /// A test per case that Kvasir covers: those of this project and those beside the checkout.
  static Stream<DynamicTest> cases(CaseCheck check) {
    Path shared = ROOT.resolveSibling("shared").resolve("reference/hf");
    Stream<DynamicTest> others =
        Files.isDirectory(shared)
            ? tests(shared, check)
            : Stream.of(DynamicTest.dynamicTest("cases", () -> folder("reference/hf")));
    return Stream.concat(tests(ROOT.resolve("acceptance/src/test/cases"), check), others);
  }

  private static Stream<DynamicTest> tests(Path folder, CaseCheck check) {
    return names(folder).stream()
        .filter(name -> !RECURRENT.contains(name))
        .map(name -> DynamicTest.dynamicTest(name, () -> check.run(folder.resolve(name), name)));
  }

  private static List<String> names(Path folder) {
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
