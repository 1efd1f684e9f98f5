package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Decoding steps replayed from captured graphs give the bits of steps that are queued one kernel
/// after the other, on the emulated driver.
class CudaDecodeTest {
  private static final Path CASES = Path.of("src/test/cases");
  private static final int STEPS = 8;

  /// A plain model, one with windows in some layers, with learned positions, with latent attention;
  /// mixtures of experts: plain, with groups and a shared expert.
  @ParameterizedTest
  @ValueSource(
      strings = {"qwen", "ministral", "opt", "minicpm3-mla", "hunyuan_v1_moe", "bailing_moe_v2"})
  void decode_replayed_givesTheBitsOfTheSameKernelsQueued(String name) {
    DecodeRun queued = decode(name, "f16", false);
    DecodeRun replayed = decode(name, "f16", true);

    assertThat(queued.replays()).isZero();
    assertThat(replayed.logits()).isDeepEqualTo(queued.logits());
    assertThat(replayed.replays()).isGreaterThan(STEPS / 3);
  }

  @Test
  void decode_codesWithExactCopies_givesTheBitsOfTheSameKernelsQueued() {
    assertThat(decode("qwen", "int8+s64t64", true).logits())
        .isDeepEqualTo(decode("qwen", "int8+s64t64", false).logits());
  }

  private static DecodeRun decode(String name, String recipe, boolean captured) {
    return DecodeRun.of(
        GpuCheck.open(EmulatedGpu.library(), true), CASES.resolve(name), recipe, STEPS, captured);
  }
}
