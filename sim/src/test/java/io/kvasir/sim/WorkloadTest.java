package io.kvasir.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Workloads are what they say, and the same each time.
class WorkloadTest {

  private static long fingerprint(Trace trace) {
    long sum = 0;
    for (int request = 0; request < trace.requestCount(); request++) {
      sum = Mix.mix(sum + trace.arrivalNanos(request));
      sum = Mix.mix(sum + trace.promptTokens(request)) + trace.outputTokens(request);
      for (int i = 0; i < trace.blockCount(request); i++) {
        sum = Mix.mix(sum + trace.hash(trace.block(request, i)));
      }
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource
  void generate_sameSeed_givesTheSameTrace(Workload workload) {
    String name = "gen:" + workload.word() + ",requests=300";

    long first = fingerprint(Workload.generate(name));

    assertThat(fingerprint(Workload.generate(name))).isEqualTo(first);
    assertThat(fingerprint(Workload.generate(name + ",seed=2"))).isNotEqualTo(first);
  }

  @ParameterizedTest
  @EnumSource
  void generate_anyWorkload_isOrderedAndConsistent(Workload workload) {
    Trace trace = Workload.generate("gen:" + workload.word() + ",requests=500,rate=4");

    assertThat(trace.requestCount()).isEqualTo(500);
    int[] parent = new int[trace.distinctBlocks()];
    Arrays.fill(parent, -2);
    for (int request = 0; request < 500; request++) {
      assertThat(trace.promptBlocks(request))
          .isEqualTo(trace.promptTokens(request) / trace.blockTokens());
      assertThat(trace.blockCount(request))
          .isEqualTo(
              (trace.promptTokens(request) + trace.outputTokens(request)) / trace.blockTokens());
      if (request > 0) {
        assertThat(trace.arrivalNanos(request))
            .isGreaterThanOrEqualTo(trace.arrivalNanos(request - 1));
      }
      // A block has one past.
      int past = -1;
      for (int i = 0; i < trace.blockCount(request); i++) {
        int block = trace.block(request, i);
        assertThat(parent[block]).isIn(-2, past);
        parent[block] = past;
        past = block;
      }
    }
    double seconds = trace.arrivalNanos(499) / 1e9;
    assertThat(500 / seconds).as("requests per second").isBetween(1.2, 8.0);
  }

  @Test
  void generate_chat_laterTurnsBeginWithEarlierOnes() {
    Trace trace = Workload.generate("gen:chat,requests=400,turns=4,think=1,system=640,block=64");

    int continued = 0;
    Set<Integer> seen = new HashSet<>();
    for (int request = 0; request < trace.requestCount(); request++) {
      // The system prompt has ten blocks; a block behind it seen before is a conversation's.
      boolean known = trace.promptBlocks(request) > 11 && seen.contains(trace.block(request, 11));
      continued += known ? 1 : 0;
      for (int i = 0; i < trace.blockCount(request); i++) {
        seen.add(trace.block(request, i));
      }
    }
    // Of four turns three are later ones.
    assertThat(continued / 400.0).isBetween(0.55, 0.85);
  }

  @Test
  void generate_loop_comesRoundInOrder() {
    Trace trace = Workload.generate("gen:loop,requests=60,loop=10,scan=1,prompt=640");

    // After a first request of the loop, a loop's and a scan's take turns.
    for (int request = 0; request + 20 < 60; request += 2) {
      assertThat(trace.block(request, 0)).isEqualTo(trace.block(request + 20, 0));
      assertThat(trace.block(request + 1, 0)).isNotEqualTo(trace.block(request + 21, 0));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          gen:nope                | there is no workload 'gen:nope'; there are gen:prompts, gen:chat, gen:rag, gen:agents, gen:loop
          gen:                    | there is no workload 'gen:'
          gen:chat,turn=3         | gen:chat has no setting 'turn'; it has requests, seed,
          gen:chat,turns          | gen:chat has no setting 'turns'
          gen:chat,turns=         | 'turns' must be a number from 1 to 1000, not ''
          gen:chat,requests=0     | 'requests' must be a whole number from 1 to 1000000, not '0'
          gen:chat,requests=1.5   | 'requests' must be a whole number from 1 to 1000000, not '1.5'
          gen:chat,seed=NaN       | 'seed' must be a whole number
          gen:loop,scan=1e9       | 'scan' must be a number from 0 to 100, not '1e9'
          """)
  void generate_wrongDescription_saysWhatThereIs(String description, String complaint) {
    assertThatThrownBy(() -> Workload.generate(description))
        .isInstanceOf(TraceFormatException.class)
        .hasMessageContaining(complaint);
  }

  @Test
  void generate_promptsBeyondAllBounds_areRefused() {
    assertThatThrownBy(() ->
            Workload.generate(
                "gen:chat,requests=200,turns=1000,question=100000,block=16,think=0,rate=0.001"))
        .isInstanceOf(TraceFormatException.class)
        .hasMessageContaining("more than");
  }
}
