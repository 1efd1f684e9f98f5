package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/// Inputs that a fuzzer found interesting once, under `src/test/resources/fuzz`.
public final class FuzzCorpus {
  private static final Path ROOT = Path.of("src/test/resources/fuzz");

  private FuzzCorpus() {}

  /// Gives every input of one target to `target`.
  public static void forEach(String name, Consumer<byte[]> target) throws IOException {
    try (var files = Files.list(ROOT.resolve(name))) {
      List<Path> inputs = files.sorted().toList();
      assertThat(inputs).isNotEmpty();
      for (Path input : inputs) {
        try {
          target.accept(Files.readAllBytes(input));
        } catch (RuntimeException | Error e) {
          throw new AssertionError("input " + input, e);
        }
      }
    }
  }
}
