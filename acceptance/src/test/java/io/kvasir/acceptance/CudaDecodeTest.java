package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Decoding steps replayed from captured graphs give the bits of steps that are queued one kernel
/// after the other, on the emulated driver.
class CudaDecodeTest {
  private static final Path CASES = Path.of("src/test/cases");
  private static final int STEPS = 8;
  private static boolean built;

  /// A plain model, one with windows in some layers, with learned positions, with latent attention.
  @ParameterizedTest
  @ValueSource(strings = {"qwen", "ministral", "opt", "minicpm3-mla"})
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

  @Test
  void decode_expertsChosenOnTheHost_givesTheSameBits() {
    assertThat(decode("hunyuan_v1_moe", "f16", true).logits())
        .isDeepEqualTo(decode("hunyuan_v1_moe", "f16", false).logits());
  }

  private static DecodeRun decode(String name, String recipe, boolean captured) {
    return DecodeRun.of(
        GpuCheck.open(library(), true), CASES.resolve(name), recipe, STEPS, captured);
  }

  /// The emulated driver of the GPU backend's own tests.
  private static synchronized String library() {
    Path source = Path.of("../compute-cuda/src/test/cpp/build.sh").toAbsolutePath();
    Path target = Path.of("target/emulated-cuda/libcuda.so.1").toAbsolutePath();
    try {
      if (!built) {
        Files.createDirectories(target.getParent());
        Process build =
            new ProcessBuilder("sh", source.toString(), target.toString())
                .redirectErrorStream(true)
                .redirectOutput(target.resolveSibling("log").toFile())
                .start();
        built = build.waitFor(120, TimeUnit.SECONDS) && build.exitValue() == 0;
      }
    } catch (IOException e) {
      Assumptions.abort("[no-cuda-device] and no shell to build an emulated one: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    Assumptions.assumeTrue(built, "[no-cuda-device] and no C++ compiler to emulate one");
    return target.toString();
  }
}
