package io.kvasir.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.sim.TraceRecorder.Times;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Recording keeps which prefixes are equal and nothing of what they say.
class TraceRecorderTest {
  private static final Times TIMES = new Times(1_500_000, 80_250_000, 900_000_000);

  @TempDir Path folder;

  private static int[] tokens(int from, int count) {
    return IntStream.range(from, from + count).toArray();
  }

  @Test
  void record_equalPrefixes_haveEqualHashes() throws IOException {
    Path file = folder.resolve("t.jsonl");
    int[] other = tokens(0, 200);
    other[100] = 7;
    try (TraceRecorder recorder = new TraceRecorder(file, 64)) {
      recorder.record(TIMES, "", tokens(0, 200), 130, 0);
      recorder.record(TIMES, "", other, 200, 64);
      recorder.record(TIMES, "tenant", tokens(0, 200), 200, 0);
    }

    Trace trace = TraceReader.read(file);

    assertThat(trace.promptBlocks(0)).isEqualTo(2);
    assertThat(trace.blockCount(0)).isEqualTo(3);
    assertThat(trace.block(1, 0)).isEqualTo(trace.block(0, 0));
    // The second block differs in one token, the third in its past only.
    assertThat(trace.block(1, 1)).isNotEqualTo(trace.block(0, 1));
    assertThat(trace.block(1, 2)).isNotEqualTo(trace.block(0, 2));
    assertThat(trace.distinctBlocks()).isEqualTo(3 + 2 + 3);
  }

  @Test
  void record_line_hasTheDocumentedForm() throws IOException {
    Path file = folder.resolve("t.jsonl");
    try (TraceRecorder recorder = new TraceRecorder(file, 64, new byte[32])) {
      recorder.record(TIMES, "", tokens(0, 70), 65, 64);
    }

    assertThat(Files.readString(file))
        .matches(
            "\\{\"kvasir_trace\":1,\"arrival_ms\":1.500,\"first_token_ms\":80.250,\"end_ms\":900,"
                + "\"salt\":\"0{16}\",\"block_tokens\":64,\"prompt_tokens\":65,"
                + "\"output_tokens\":5,\"cached_tokens\":64,\"blocks\":\\[\"[0-9a-f]{16}\"]}\n");
  }

  @Test
  void record_sameTextTwice_cannotBeComparedAcrossRecordings() throws IOException {
    Path[] files = {folder.resolve("a.jsonl"), folder.resolve("b.jsonl")};
    for (Path file : files) {
      try (TraceRecorder recorder = new TraceRecorder(file, 16)) {
        recorder.record(TIMES, "tenant", tokens(0, 16), 16, 0);
      }
    }

    Trace first = TraceReader.read(files[0]);
    Trace second = TraceReader.read(files[1]);

    assertThat(first.hash(0)).isNotEqualTo(second.hash(0));
    assertThat(Files.readString(files[0])).doesNotContain("tenant");
    assertThat(Files.readAllLines(files[0]).getFirst())
        .isNotEqualTo(Files.readAllLines(files[1]).getFirst());
  }

  @Test
  void record_keyedHash_isTheDocumentedHmac() throws Exception {
    byte[] key = new byte[32];
    Arrays.fill(key, (byte) 5);
    Path file = folder.resolve("t.jsonl");
    try (TraceRecorder recorder = new TraceRecorder(file, 2, key)) {
      recorder.record(TIMES, "", new int[] {1, 2, 3, 4}, 4, 0);
    }

    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    long first = hash(mac, 0, 1, 2);
    Trace trace = TraceReader.read(file);
    assertThat(trace.hash(0)).isEqualTo(first);
    assertThat(trace.hash(1)).isEqualTo(hash(mac, first, 3, 4));
  }

  private static long hash(Mac mac, long past, int a, int b) {
    ByteBuffer bytes = ByteBuffer.allocate(16);
    bytes.putLong(past).putInt(a).putInt(b);
    return ByteBuffer.wrap(mac.doFinal(bytes.array())).getLong();
  }

  @Test
  void record_impossibleCounts_areNamed() throws IOException {
    try (TraceRecorder recorder = new TraceRecorder(folder.resolve("t.jsonl"), 64)) {
      assertThatThrownBy(() -> recorder.record(TIMES, "", tokens(0, 10), 11, 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("11 prompt and -1 output");
    }
    assertThatThrownBy(() -> new TraceRecorder(folder.resolve("u.jsonl"), 0))
        .hasMessageContaining("at least one token: 0");
  }
}
