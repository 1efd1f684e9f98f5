package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.TokenDraws;
import io.kvasir.compute.cuda.CudaBackend;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Answers whose tokens are drawn on the device are those that the host draws from the same scores,
/// alone and in company, on the emulated driver.
class CudaDrawTest {
  private static final Path MODEL = Path.of("src/test/cases/qwen");
  private static final int ANSWER = 12;

  @Test
  void answer_drawnOnTheDevice_isTheOneThatTheHostDraws() throws InterruptedException {
    try (CudaBackend backend = GpuCheck.open(EmulatedGpu.library(), true)) {
      List<GpuDraw> draws = GpuDraw.of(MODEL, backend, ANSWER);

      assertThat(draws).hasSize(5).allMatch(GpuDraw::isSame);
      assertThat(draws).extracting(GpuDraw::device).doesNotHaveDuplicates();
      assertThat(draws).allMatch(draw -> draw.host().size() == ANSWER);
    }
  }

  @Test
  void draw_stepAfterStep_allocatesNothing() {
    int rows = 3;
    float[] scores = new float[rows * 64];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = i % 17;
    }
    TokenDraws draws = new TokenDraws(rows);
    TokenDraws.Rule rule = new TokenDraws.Rule(1, 10, 0.9f, 0.01f);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    int[] drawn = new int[rows];
    long least = Long.MAX_VALUE;
    try (Backend backend = GpuCheck.open(EmulatedGpu.library(), true)) {
      Buffer buffer = backend.buffer(rows, 64);
      backend.write(scores, buffer);
      for (int step = 0; step < 3000 && least > 0; step++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int r = 0; r < rows; r++) {
          draws.set(r, rule, 0.01 * (step % 100));
        }
        backend.draw(buffer, rows, 64, draws, drawn);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
    }
    assertThat(least).isZero();
  }
}
