package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.file.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `kvasir logits` on the model that comes with Kvasir.
class LogitsCommandTest {
  private static final String IDS = "1,300,301,302,17,4000,8191,2,9,10,11,12,13,14,15,16,17,18,19";

  @TempDir Path folder;

  private byte[] logits(String... options) throws IOException {
    Path out = folder.resolve("out.safetensors");
    List<String> args =
        new ArrayList<>(List.of("logits", "--ids", IDS, "--greedy", "3", "--out", out.toString()));
    args.addAll(List.of(options));
    Outcome outcome = Shell.run(args.toArray(String[]::new));
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    return Files.readAllBytes(out);
  }

  @Test
  void file_holdsScoresHiddenRowsAndGreedyIds() throws IOException {
    logits();

    try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("out.safetensors"))) {
      assertThat(file.get("logits").shape()).containsExactly(19, 8192);
      for (int layer = 0; layer <= 8; layer++) {
        assertThat(file.get("hidden." + layer).shape()).containsExactly(19, 512);
      }
      assertThat(file.find("hidden.9")).isNull();
      assertThat(file.get("greedy_ids").shape()).containsExactly(3);
      assertThat(file.get("logits").toFloats()).doesNotContain(Float.NaN, 0f);
    }
  }

  @Test
  void bits_dependNeitherOnChunksNorOnBlocksNorOnTheCache() throws IOException {
    byte[] whole = logits();

    assertThat(logits("--prefill-chunk", "1")).isEqualTo(whole);
    assertThat(logits("--prefill-chunk", "7", "--block-tokens", "16")).isEqualTo(whole);
    assertThat(logits("--prefill-chunk", "5", "--no-kv-cache")).isEqualTo(whole);
  }

  @Test
  void halfPrecisionCache_changesTheScores() throws IOException {
    assertThat(logits("--kv-format", "f16")).isNotEqualTo(logits());
  }
}
