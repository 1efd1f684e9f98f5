package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.compute.cuda.CudaException;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.KvCacheStats;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A GPU that runs out of memory at any one place, on the emulated driver: memory of the device,
/// pinned memory of the host, captured graphs.
class CudaMemoryTest {
  private static final Path MODEL = Path.of("src/test/cases/qwen");
  private static final EngineConfig CONFIG =
      EngineConfig.DEFAULT.withContextTokens(512).withCacheBytes(1 << 20);

  private long before;

  @BeforeEach
  void skipKernels() {
    EmulatedGpu.idle(true);
    EmulatedGpu.failAt(-1);
    before = EmulatedGpu.live();
  }

  @AfterEach
  void runKernels() {
    EmulatedGpu.failAt(-1);
    EmulatedGpu.idle(false);
  }

  @Test
  void open_allocationFails_saysSoAndHoldsNothing() {
    EmulatedGpu.failAt(-1);
    try (CudaBackend backend = GpuCheck.open(EmulatedGpu.library(), false);
        Engine engine = Engine.open(MODEL, backend, CONFIG)) {
      assertThat(engine.isRunning()).isTrue();
    }
    long places = EmulatedGpu.allocations();
    assertThat(places).isGreaterThan(25);
    for (int place = 0; place < places; place++) {
      EmulatedGpu.failFrom(place);
      assertThatThrownBy(
              () -> {
                try (CudaBackend backend = GpuCheck.open(EmulatedGpu.library(), false);
                    Engine engine = Engine.open(MODEL, backend, CONFIG)) {
                  throw new AssertionError("opened for " + engine.contextTokens());
                }
              })
          .as("place %d", place)
          .isInstanceOfAny(CudaException.class, IllegalStateException.class)
          .message()
          .containsIgnoringCase("memory");
      assertThat(EmulatedGpu.live()).as("held after place %d", place).isEqualTo(before);
    }
  }

  @Test
  void requests_allocationFails_endWithAnErrorAndTheNextAreAnswered() throws InterruptedException {
    int failed = 0;
    for (int place = 0; place < 50; place++) {
      try (CudaBackend backend = GpuCheck.open(EmulatedGpu.library(), false);
          Engine engine = Engine.open(MODEL, backend, CONFIG)) {
        EmulatedGpu.failAt(place);
        List<Outcome> outcomes = answers(engine);
        boolean reached = EmulatedGpu.allocations() > place;
        EmulatedGpu.failAt(-1);
        int wrong = 0;
        for (Outcome outcome : outcomes) {
          if (outcome.reason() == FinishReason.ERROR) {
            wrong++;
            assertThat(Objects.requireNonNull(outcome.error())).hasMessageContaining("memory");
          }
        }
        failed += wrong > 0 ? 1 : 0;
        assertThat(wrong == 0 || reached).as("place %d", place).isTrue();
        assertThat(answers(engine))
            .extracting(Outcome::reason)
            .as("after place %d", place)
            .containsOnly(FinishReason.LENGTH);
        engine.verify();
        KvCacheStats stats = engine.cacheStats();
        assertThat(stats.tables()).isZero();
        assertThat(stats.heldBlocks()).isZero();
        assertThat(stats.freeBlocks() + stats.cachedBlocks()).isEqualTo(stats.capacityBlocks());
      }
      assertThat(EmulatedGpu.live()).as("held after place %d", place).isEqualTo(before);
    }
    assertThat(failed).isGreaterThan(8);
  }

  /// Requests of growing number and length, so that memory has to grow.
  private static List<Outcome> answers(Engine engine) throws InterruptedException {
    List<Outcome> outcomes = new ArrayList<>();
    for (int count : new int[] {1, 3, 9}) {
      List<TokenStream> streams = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int[] prompt = new int[3 + 7 * count + i];
        java.util.Arrays.fill(prompt, 1 + i % 7);
        streams.add(engine.submit(new Request(prompt, 6, SamplingOptions.GREEDY, Set.of())));
      }
      for (TokenStream stream : streams) {
        while (stream.advance()) {
          // The tokens do not matter.
        }
        outcomes.add(stream.outcome());
      }
    }
    return outcomes;
  }
}
