package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.json.Json;
import io.kvasir.server.KvasirServer;
import io.kvasir.server.ServedModel;
import io.kvasir.server.ServerConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `kvasir bench serve` against the default model behind a real server.
@Timeout(120)
class BenchServeTest {
  private static OpenModel open;
  private static KvasirServer server;

  @BeforeAll
  static void start() throws IOException {
    ByteArrayOutputStream nowhere = new ByteArrayOutputStream();
    open =
        OpenModel.open(
            new ModelArgument(), new EngineOptions(), Shell.surroundings("", nowhere, nowhere));
    server = KvasirServer.start(served(), ServerConfig.local(0).withApiKey("sesame"));
  }

  private static ServedModel served() {
    return new ServedModel(
        "stories", open.engine(), open.tokenizer(), open.template(), open.stopTokens());
  }

  @AfterAll
  static void stop() {
    server.close();
    open.close();
  }

  private static Shell.Outcome bench(String... more) {
    String[] args = new String[more.length + 7];
    String[] first = {
      "bench",
      "serve",
      "http://127.0.0.1:" + server.port() + "/v1",
      "--api-key",
      "sesame",
      "--warmup",
      "1"
    };
    System.arraycopy(first, 0, args, 0, first.length);
    System.arraycopy(more, 0, args, first.length, more.length);
    return Shell.run(args);
  }

  private static Json json(String... more) {
    String[] args = new String[more.length + 1];
    System.arraycopy(more, 0, args, 0, more.length);
    args[more.length] = "--json";
    Shell.Outcome outcome = bench(args);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    return Json.parse(outcome.out());
  }

  @Test
  void closedLoop_exactLengths_areCountedAndPrefixesHit() {
    Json report =
        json(
            "--requests",
            "12",
            "--concurrency",
            "3",
            "--shared-prefix",
            "128",
            "-p",
            "20-30",
            "-n",
            "8",
            "--ignore-eos",
            "--slo",
            "ttft:60s");

    assertThat(report.get("model").asString()).isEqualTo("stories");
    assertThat(report.get("requests").get("ok").asInt()).isEqualTo(12);
    assertThat(report.get("tokens").get("completion").asInt()).isEqualTo(12 * 8);
    assertThat(report.get("tokens").get("prompt").asInt()).isBetween(12 * 148, 12 * 158);
    // All but the first, which may be three at once.
    assertThat(report.get("tokens").get("cached").asInt()).isGreaterThanOrEqualTo(9 * 128);
    assertThat(report.get("latency_ms").get("itl").get("count").asInt()).isEqualTo(12 * 7);
    assertThat(report.get("latency_ms").get("ttft").get("p50").asDouble()).isPositive();
    assertThat(report.get("latency_ms").get("e2e").get("p99").asDouble())
        .isGreaterThan(report.get("latency_ms").get("ttft").get("p50").asDouble());
    assertThat(report.get("goodput").get("share").asDouble()).isEqualTo(1);
    assertThat(report.get("requests").get("most_at_once").asInt()).isBetween(2, 3);
  }

  @Test
  void equalSeed_secondRun_findsTheFirstOnesPrompts() {
    String[] args = {"--requests", "3", "-p", "130", "-n", "2", "--seed", "77"};

    assertThat(json(args).get("tokens").get("cached_share").asDouble()).isLessThan(0.1);
    assertThat(json(args).get("tokens").get("cached_share").asDouble()).isGreaterThan(0.9);
  }

  @Test
  void openLoop_page_holdsFiguresAndPlots(@TempDir Path folder) throws IOException {
    Path page = folder.resolve("report.html");
    Shell.Outcome outcome =
        bench(
            "--requests",
            "10",
            "--rate",
            "50",
            "-p",
            "16",
            "-n",
            "6",
            "--ignore-eos",
            "--html",
            page.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out())
        .contains("open loop, 50.0 requests/s; 0+16 prompt and 6 output tokens; seed ")
        .contains("10 ok, 0 failed")
        .contains("60 output")
        .containsPattern("ttft +[0-9.]+ +[0-9.]+");
    assertThat(Files.readString(page))
        .contains("10 ok, 0 failed")
        .contains("aria-label=\"Gaps between tokens\"")
        .contains("aria-label=\"Requests under way\"")
        .doesNotContain("NaN", "http://www", "https://", "<script", "sesame");
  }

  @Test
  void trace_mooncake_isScaledAndSharesItsBlocks(@TempDir Path folder) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 6; i++) {
      lines.append(
          "{\"timestamp\":%d,\"input_length\":20000,\"output_length\":200,\"hash_ids\":[%s%d]}\n"
              .formatted(
                  20 * i,
                  "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,",
                  100 + i));
    }
    Path trace = Files.writeString(folder.resolve("trace.jsonl"), lines);
    Json report =
        json("--trace", trace.toString(), "--scale", "0.02", "--concurrency", "1", "--ignore-eos");

    assertThat(report.get("requests").get("ok").asInt()).isEqualTo(6);
    assertThat(report.get("tokens").get("prompt").asInt()).isEqualTo(6 * 400);
    assertThat(report.get("tokens").get("completion").asInt()).isEqualTo(6 * 4);
    assertThat(report.get("tokens").get("cached").asInt()).isBetween(5 * 380, 5 * 395);
  }

  @Test
  void recordedTrace_ofOneRun_isSimulatedAndSentAgain(@TempDir Path folder) throws IOException {
    Path trace = folder.resolve("own.jsonl");
    Path log = folder.resolve("access.log");
    ByteArrayOutputStream nowhere = new ByteArrayOutputStream();
    try (RequestRecords records =
            RequestRecords.open(
                log.toString(), trace, 64, Shell.surroundings("", nowhere, nowhere));
        KvasirServer recorded =
            KvasirServer.start(served(), ServerConfig.local(0).withWatch(records))) {
      Shell.Outcome outcome =
          Shell.run(
              "bench",
              "serve",
              "http://127.0.0.1:" + recorded.port(),
              "--requests",
              "5",
              "-p",
              "40",
              "--shared-prefix",
              "150",
              "-n",
              "3",
              "--ignore-eos",
              "--warmup",
              "0");
      assertThat(outcome.err()).isEmpty();
    }

    Json sim =
        Json.parse(
            Shell.run("sim", trace.toString(), "--blocks", "100", "--policy", "lru", "--json")
                .out());
    // Of 190 tokens two blocks of 64 are whole, both of the shared prefix.
    assertThat(sim.get("rows").asList().getFirst().get("prompt_blocks").asInt()).isEqualTo(5 * 2);
    assertThat(sim.get("rows").asList().getFirst().get("hit_blocks").asInt()).isEqualTo(4 * 2);
    Json again = json("--trace", trace.toString(), "--speed", "100", "--ignore-eos");
    assertThat(again.get("tokens").get("prompt").asInt()).isEqualTo(5 * 190);
    assertThat(Files.readAllLines(log))
        .filteredOn(line -> line.contains(" route=/v1/completions "))
        .hasSize(5)
        .allMatch(line -> line.contains(" status=200 prompt_tokens=190 "));
  }

  @Test
  void chat_words_areAnswered() {
    Json report = json("--chat", "--requests", "2", "-p", "20", "-n", "4", "--ignore-eos");

    assertThat(report.get("requests").get("ok").asInt()).isEqualTo(2);
    assertThat(report.get("tokens").get("completion").asInt()).isEqualTo(8);
  }

  @Test
  void wrongKey_isOneSentence() {
    Shell.Outcome outcome = Shell.run("bench", "serve", "http://127.0.0.1:" + server.port());

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).contains("check URL and --api-key").hasLineCount(1);
  }

  @Test
  void wrongUsage_isNamed() {
    assertThat(bench("--rate", "0").err()).contains("--rate must be above 0");
    assertThat(bench("--slo", "x").err()).contains("--slo: a bound is");
    assertThat(bench("-p", "9-3").err()).contains("not 9-3");
    assertThat(bench("-p", "5000").err()).contains("the server's context is 4096");
    assertThat(bench("--speed", "2").err()).contains("belong to --trace");
    assertThat(bench("--trace", "missing.jsonl").err()).contains("there is no file");
    assertThat(Shell.run("bench", "serve", "ftp://x").err()).contains("is no URL of a server");
    assertThat(Shell.run("bench", "serve", "http://127.0.0.1:1").err()).contains("cannot reach");
    assertThat(Shell.run("bench", "serve").exitCode()).isEqualTo(2);
    assertThat(Shell.run("bench", "serve", "--help").out()).contains("--shared-prefix");
  }
}
