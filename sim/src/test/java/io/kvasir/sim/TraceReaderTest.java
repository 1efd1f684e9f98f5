package io.kvasir.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Traces are read exactly, and a damaged line is refused in one sentence that names file, line and
/// value.
class TraceReaderTest {
  private static final String MOONCAKE =
      """
      {"timestamp": 0, "input_length": 1000, "output_length": 52, "hash_ids": [7, 46]}
      {"timestamp": 1.5, "input_length": 1500, "output_length": 1, "hash_ids": [7, 46, 47], "x": 1}

      {"timestamp": 20, "input_length": 0, "output_length": 3, "hash_ids": []}
      """;

  private static final String RECORDED =
      "{\"kvasir_trace\":1,\"arrival_ms\":%s,\"block_tokens\":64,\"prompt_tokens\":130,"
          + "\"output_tokens\":70,\"cached_tokens\":0,\"blocks\":[%s]}\n";

  private static Trace read(String text) throws IOException {
    return TraceReader.read(
        "t.jsonl", new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void read_mooncake_keepsOrderLengthsAndBlocks() throws IOException {
    Trace trace = read(MOONCAKE);

    assertThat(trace.requestCount()).isEqualTo(3);
    assertThat(trace.blockTokens()).isEqualTo(512);
    assertThat(trace.distinctBlocks()).isEqualTo(3);
    assertThat(trace.totalPromptBlocks()).isEqualTo(5);
    assertThat(trace.largestRequest()).isEqualTo(3);
    assertThat(trace.arrivalNanos(1)).isEqualTo(1_500_000);
    assertThat(trace.promptTokens(1)).isEqualTo(1500);
    assertThat(trace.outputTokens(0)).isEqualTo(52);
    assertThat(new int[] {trace.block(1, 0), trace.block(1, 1), trace.block(1, 2)})
        .containsExactly(0, 1, 2);
    assertThat(trace.hash(2)).isEqualTo(47);
  }

  @Test
  void read_windowsLineEndsAndByteOrderMark_areNoMatter() throws IOException {
    Trace trace = read("\uFEFF" + MOONCAKE.replace("\n", "\r\n"));

    assertThat(trace.totalPromptBlocks()).isEqualTo(5);
  }

  @Test
  void read_onlyHashIds_isEnough() throws IOException {
    Trace trace = read("{\"hash_ids\":[18446744073709551615, -1, 9223372036854775807]}");

    assertThat(trace.promptTokens(0)).isEqualTo(3 * 512);
    // The first two are the same 64 bits.
    assertThat(trace.distinctBlocks()).isEqualTo(2);
  }

  @Test
  void read_recorded_sortsByArrivalAndTellsPromptFromAnswer() throws IOException {
    Trace trace =
        read(
            RECORDED.formatted("9", "\"a\",\"b\",\"c\"")
                + RECORDED.formatted("2.25", "\"a\",\"d\""));

    assertThat(trace.blockTokens()).isEqualTo(64);
    assertThat(trace.arrivalNanos(0)).isEqualTo(2_250_000);
    assertThat(trace.blockCount(0)).isEqualTo(2);
    assertThat(trace.blockCount(1)).isEqualTo(3);
    assertThat(trace.promptBlocks(1)).isEqualTo(2);
    assertThat(trace.hash(trace.block(0, 1))).isEqualTo(0xd);
    assertThat(trace.block(0, 0)).isEqualTo(trace.block(1, 0));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"hash_ids":[1,2                        | the line ends inside the object
          {"hash_ids":[1 2]}                      | ',' or ']' is missing at character 16
          {"hash_ids":[1.5]}                      | a whole number is wanted, not 1.5
          {"hash_ids":[1,"a"]}                    | a number is wanted at character 16
          {"hash_ids":[99999999999999999999]}     | a whole number is wanted, not 99999999999999999999
          {"hash_ids":[1],"hash_ids":[1]}         | the request has two lists of blocks
          {"hash_ids":[1],"timestamp":-5}         | "timestamp" must be 0 to 4e12 milliseconds, not -5
          {"hash_ids":[1],"timestamp":1e400}      | "timestamp" must be 0 to 4e12 milliseconds
          {"hash_ids":[1],"input_length":-1}      | "input_length" must be a count up to 2147483647, not -1
          {"hash_ids":[1],"input_length":3e9}     | "input_length" must be a count up to 2147483647, not 3000000000
          {"hash_ids":[1],"input_length":"x"}     | a number is wanted at character 32
          {"hash_ids":[1],"a":}                   | a value is wanted
          {"hash_ids":[1]} x                      | text after the end of the object
          {"hash_ids":{}}                         | an array is wanted
          [1,2]                                   | a JSON object should start here
          {"timestamp":1}                         | neither "hash_ids" (Mooncake) nor "kvasir_trace"
          {"kvasir_trace":2}                      | a trace of form 2 was recorded by another Kvasir
          {"kvasir_trace":1,"arrival_ms":1}       | "prompt_tokens" is missing
          {"kvasir_trace":1,"arrival_ms":1,"prompt_tokens":5,"blocks":[]} | "block_tokens" is missing
          {"kvasir_trace":1,"arrival_ms":1,"prompt_tokens":5,"block_tokens":1,"blocks":["1"]} | 1 blocks of 1 tokens cannot belong to 5 prompt and 0 output
          {"kvasir_trace":1,"arrival_ms":1,"prompt_tokens":5,"block_tokens":5,"blocks":["xyz"]} | a hexadecimal digit is wanted
          {"kvasir_trace":1,"arrival_ms":1,"prompt_tokens":5,"block_tokens":5,"blocks":["00000000000000001"]} | 1 to 16 hexadecimal digits
          """)
  void read_damagedLine_isNamed(String line, String complaint) {
    assertThatThrownBy(() -> read("\n" + line + "\n"))
        .isInstanceOf(TraceFormatException.class)
        .hasMessageStartingWith("t.jsonl, line 2: ")
        .hasMessageContaining(complaint);
  }

  @Test
  void read_otherFormOrBlockSizeLater_isRefused() {
    assertThatThrownBy(() -> read(MOONCAKE + RECORDED.formatted("1", "\"a\",\"b\"")))
        .hasMessage("t.jsonl, line 5: a request of another form than those before it");
    assertThatThrownBy(() ->
            read(
                RECORDED.formatted("1", "\"a\",\"b\"")
                    + RECORDED.formatted("1", "\"a\"").replace(":64", ":128")))
        .hasMessageContaining("line 2", "\"block_tokens\" is 128 but was 64 before");
  }

  @Test
  void read_emptyFile_isRefused() {
    assertThatThrownBy(() -> read(" \n\n")).hasMessage("t.jsonl holds no request");
  }

  @Test
  void read_endlessLine_isRefusedWithoutBeingKept() {
    InputStream endless =
        new InputStream() {
          @Override
          public int read() {
            return '[';
          }
        };

    assertThatThrownBy(() -> TraceReader.read("endless", endless))
        .hasMessage("endless, line 1: the line is longer than 16777216 bytes");
  }

  @Test
  void read_moreBlocksThanAModelHas_isRefused() {
    String ids = "1,".repeat(TraceBuilder.MAX_REQUEST_BLOCKS) + "1";

    assertThatThrownBy(() -> read("{\"hash_ids\":[" + ids + "]}"))
        .hasMessageContaining("a request has more than 1048576 blocks");
  }

  @Test
  void read_deeplyNestedUnknownField_isRefused() {
    assertThatThrownBy(() -> read("{\"a\":" + "[".repeat(100_000)))
        .hasMessageContaining("values are nested deeper than 64");
  }

  @Test
  void read_controlCharacters_neverReachTheMessage() {
    assertThatThrownBy(() -> read("{\"hash_ids\":\u001b[2J"))
        .isInstanceOf(TraceFormatException.class)
        .message()
        .doesNotContain("\u001b");
  }

  @Test
  void read_mutatedBytes_neverFailOtherwise() throws IOException {
    long seed = Long.getLong("kvasir.test.seed", 20261122L);
    SplittableRandom random = new SplittableRandom(seed);
    String[] sources = {MOONCAKE, RECORDED.formatted("2.25", "\"a\",\"d\"")};
    byte[] alphabet = "{}[]\",:0123456789eE+-.\\ \nabx\u0000".getBytes(StandardCharsets.UTF_8);
    int refused = 0;
    for (int round = 0; round < 5_000; round++) {
      byte[] bytes = sources[round % 2].getBytes(StandardCharsets.UTF_8);
      for (int i = random.nextInt(4); i >= 0; i--) {
        bytes[random.nextInt(bytes.length)] = alphabet[random.nextInt(alphabet.length)];
      }
      bytes = Arrays.copyOf(bytes, bytes.length - random.nextInt(5));
      try {
        TraceReader.read("m", new ByteArrayInputStream(bytes));
      } catch (TraceFormatException e) {
        refused++;
        assertThat(e.getMessage()).as("seed %d round %d", seed, round).startsWith("m");
      }
    }
    assertThat(refused).as("seed %d", seed).isBetween(2_500, 4_999);
  }

  @Test
  void write_thenRead_givesTheSameTrace(@TempDir Path folder) throws IOException {
    Trace trace = Workload.generate("gen:chat,requests=200,seed=3");
    Path file = folder.resolve("t.jsonl");

    TraceWriter.write(trace, file);
    Trace read = TraceReader.read(file);

    assertThat(read.requestCount()).isEqualTo(200);
    assertThat(read.blockTokens()).isEqualTo(trace.blockTokens());
    assertThat(read.distinctBlocks()).isEqualTo(trace.distinctBlocks());
    for (int request = 0; request < 200; request++) {
      assertThat(read.arrivalNanos(request) / 1000).isEqualTo(trace.arrivalNanos(request) / 1000);
      assertThat(read.promptTokens(request)).isEqualTo(trace.promptTokens(request));
      assertThat(read.outputTokens(request)).isEqualTo(trace.outputTokens(request));
      assertThat(read.promptBlocks(request)).isEqualTo(trace.promptBlocks(request));
      assertThat(read.blockCount(request)).isEqualTo(trace.blockCount(request));
      for (int i = 0; i < trace.blockCount(request); i++) {
        assertThat(read.hash(read.block(request, i)))
            .isEqualTo(trace.hash(trace.block(request, i)));
      }
    }
  }

  @Test
  void write_mooncakeTrace_dropsOnlyPartialBlocks(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("t.jsonl");

    TraceWriter.write(read(MOONCAKE), file);
    Trace read = TraceReader.read(file);

    assertThat(read.requestCount()).isEqualTo(3);
    // 1000 and 1500 tokens have one and two full blocks of 512.
    assertThat(read.totalPromptBlocks()).isEqualTo(3);
  }
}
