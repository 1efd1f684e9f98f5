package io.kvasir.acceptance;

import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Mixtures of experts on the emulated driver against what the published implementations gave: one
/// of each way to choose and weigh experts.
class CudaExpertsTest {
  private static final Path CASES = Path.of("src/test/cases");

  /// In their order: softmax, sigmoid with groups and a bias, SparseMixer, weighed inputs, beside a
  /// plain network.
  @ParameterizedTest
  @ValueSource(
      strings = {"hunyuan_v1_moe", "bailing_moe_v2", "phimoe", "llama4_text", "gemma4-moe"})
  void logits_ofAMixture_matchGolden(String name) {
    Path folder = CASES.resolve(name);
    GoldenLogitsTest.check(folder, folder, GpuCheck.open(EmulatedGpu.library(), true));
  }
}
