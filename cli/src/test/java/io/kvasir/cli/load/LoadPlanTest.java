package io.kvasir.cli.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.sim.Trace;
import io.kvasir.sim.TraceReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Which requests are sent, and when.
class LoadPlanTest {
  private static final TokenPool POOL = new TokenPool(IntStream.range(100, 900).toArray());

  private static Trace trace(String... lines) throws IOException {
    byte[] text = String.join("\n", lines).getBytes(StandardCharsets.UTF_8);
    return TraceReader.read("test", new ByteArrayInputStream(text));
  }

  @Test
  void synthetic_prompts_shareThePrefixOnly() {
    SyntheticLoad.Shape shape =
        new SyntheticLoad.Shape(9, 0, new Range(20, 40), new Range(3, 5), 50, 2);
    SyntheticLoad load = new SyntheticLoad(shape, POOL, 11);

    for (int i = 0; i < 9; i++) {
      int[] prompt = load.prompt(i);
      assertThat(prompt).hasSize(load.promptTokens(i)).hasSizeBetween(70, 90);
      assertThat(prompt).isEqualTo(new SyntheticLoad(shape, POOL, 11).prompt(i));
      assertThat(load.outputTokens(i)).isBetween(3, 5);
      assertThat(load.atNanos(i)).isEqualTo(LoadPlan.WHEN_FREE);
      int common = i == 0 ? 0 : Arrays.mismatch(prompt, load.prompt(i % 2));
      assertThat(i < 2 ? 50 : common).isBetween(50, 52);
    }
    assertThat(Arrays.mismatch(load.prompt(0), load.prompt(1))).isLessThan(3);
    assertThat(new SyntheticLoad(shape, POOL, 12).prompt(0)).isNotEqualTo(load.prompt(0));
  }

  @Test
  void trace_equalHashes_becomeEqualTokensOfTheRightLength() throws IOException {
    Trace trace =
        trace(
            "{\"timestamp\":1000,\"input_length\":1100,\"output_length\":40,\"hash_ids\":[7,8,9]}",
            "{\"timestamp\":3000,\"input_length\":1500,\"output_length\":1,\"hash_ids\":[7,8,10]}",
            "{\"timestamp\":3000,\"input_length\":600,\"output_length\":9,\"hash_ids\":[11,12]}");
    TraceLoad load = new TraceLoad(trace, POOL, new TraceLoad.Pace(3, 0.25, 2), 5);

    assertThat(load.prompt(0)).hasSize(275);
    assertThat(load.prompt(1)).hasSize(375);
    assertThat(Arrays.mismatch(load.prompt(0), load.prompt(1))).isBetween(256, 258);
    assertThat(Arrays.mismatch(load.prompt(0), load.prompt(2))).isLessThan(3);
    assertThat(IntStream.range(0, 3).map(load::outputTokens)).containsExactly(10, 1, 2);
    assertThat(IntStream.range(0, 3).mapToLong(load::atNanos))
        .containsExactly(0L, 1_000_000_000L, 1_000_000_000L);
    assertThat(new TraceLoad(trace, POOL, new TraceLoad.Pace(2, 1, 0), 5).atNanos(1))
        .isEqualTo(LoadPlan.WHEN_FREE);
  }

  @Test
  void trace_recordedByKvasir_hasTailsOfTheirOwn() throws IOException {
    String line =
        "{\"kvasir_trace\":1,\"arrival_ms\":0,\"block_tokens\":16,\"prompt_tokens\":25,\"output_tokens\":3,\"blocks\":[\"00000000000000aa\"]}";
    TraceLoad load = new TraceLoad(trace(line, line), POOL, new TraceLoad.Pace(2, 1, 1), 5);

    assertThat(load.prompt(0)).hasSize(25);
    assertThat(Arrays.mismatch(load.prompt(0), load.prompt(1))).isBetween(16, 18);
  }

  @Test
  void fitting_longestRequest_fitsAndNoMoreIsTakenAway() throws IOException {
    Trace trace =
        trace(
            "{\"timestamp\":0,\"input_length\":90000,\"output_length\":7000,\"hash_ids\":[1]}",
            "{\"timestamp\":0,\"input_length\":200000,\"output_length\":0,\"hash_ids\":[1]}");
    double scale = TraceLoad.fitting(trace, 1, 4096);
    TraceLoad load = new TraceLoad(trace, POOL, new TraceLoad.Pace(1, scale, 1), 5);

    assertThat(load.longest()).isBetween(4_090, 4_096);
    assertThat(TraceLoad.fitting(trace, 1, 100_000)).isEqualTo(1);
  }
}
