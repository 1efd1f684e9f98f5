package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
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

  /// A long prompt moves arrays that a captured step writes to; memory that was given back cannot
  /// be touched on the emulated driver.
  @Test
  void decode_memoryMovedAfterTheCapture_isCapturedAnew() throws InterruptedException {
    List<List<Integer>> queued = answers(false);

    assertThat(answers(true)).isEqualTo(queued);
  }

  private static List<List<Integer>> answers(boolean captured) throws InterruptedException {
    EngineConfig config = EngineConfig.DEFAULT.withContextTokens(256).withCacheBytes(1 << 20);
    try (CudaBackend backend = GpuCheck.open(EmulatedGpu.library(), true)) {
      backend.captureSteps(captured);
      List<List<Integer>> answers = new ArrayList<>();
      try (Engine engine = Engine.open(CASES.resolve("qwen"), backend, config)) {
        for (int length : new int[] {2, 120, 3}) {
          int[] prompt = new int[length];
          Arrays.setAll(prompt, i -> (7 * i + length) % 90);
          TokenStream stream =
              engine.submit(new Request(prompt, 7, SamplingOptions.GREEDY, Set.of()));
          List<Integer> answer = new ArrayList<>();
          while (stream.advance()) {
            answer.add(stream.token());
          }
          assertThat(stream.outcome().error()).isNull();
          answers.add(answer);
        }
      }
      assertThat(backend.replays() > 8).isEqualTo(captured);
      return answers;
    }
  }

  private static DecodeRun decode(String name, String recipe, boolean captured) {
    return DecodeRun.of(
        GpuCheck.open(EmulatedGpu.library(), true), CASES.resolve(name), recipe, STEPS, captured);
  }
}
