package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.KvCache;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// The examples run and print what their comments say.
final class ExamplesTest {
  @Test
  void embedKvCache_onTheCacheAlone_sharesWithinATenant() throws Exception {
    String cache =
        Path.of(KvCache.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toString();
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                cache,
                ReferenceData.project().resolve("examples/EmbedKvCache.java").toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output)
        .contains("alice: sum 592.0, computed 200 of 200 tokens")
        .contains("alice: sum 691.0, computed 8 of 200 tokens")
        .contains("bob: sum 592.0, computed 200 of 200 tokens");
  }
}
