package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.json.Json;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The commands that tell of models, on the one that comes with Kvasir.
class ModelCommandsTest {
  @TempDir Path folder;

  private static String succeed(String... args) {
    Outcome outcome = Shell.run(args);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    return outcome.out();
  }

  @Test
  void run_defaultModel_saysWhoItIs() {
    assertThat(succeed("run", "-p", "Who are you?", "--temp", "0", "-n", "40")).contains("Kvasir");
  }

  @Test
  void run_json_tellsTextTimingsAndCache() {
    Json answer =
        Json.parse(succeed("run", "-p", "Hi", "--temp", "0", "-n", "5", "--json", "--seed", "7"));

    assertThat(answer.get("text").asString()).isNotEmpty();
    assertThat(answer.get("completion_tokens").asInt()).isBetween(1, 5);
    assertThat(answer.get("prompt_tokens").asInt()).isPositive();
    assertThat(answer.get("cache_bytes").asLong()).isPositive();
    assertThat(answer.get("seed").asInt()).isEqualTo(7);
    assertThat(answer.get("timings").get("prefill_ms").asDouble()).isPositive();
    assertThat(answer.get("tokens_per_second").has("decode")).isTrue();
  }

  @Test
  void run_equalSeeds_giveEqualAnswers_withAndWithoutTheCache() {
    String[] args = {"run", "-p", "Tell me a story.", "-n", "12", "--seed", "42"};
    String[] uncached = {
      "run", "-p", "Tell me a story.", "-n", "12", "--seed", "42", "--no-kv-cache"
    };

    String first = succeed(args);

    assertThat(succeed(args)).isEqualTo(first);
    assertThat(succeed(uncached)).isEqualTo(first);
  }

  @Test
  void run_stopText_isNotPartOfTheAnswer() {
    String whole = succeed("run", "-p", "Who are you?", "--temp", "0", "-n", "40").strip();
    String stop = whole.substring(5, 8);

    String cut = succeed("run", "-p", "Who are you?", "--temp", "0", "-n", "40", "--stop", stop);

    assertThat(cut.strip()).isEqualTo(whole.substring(0, whole.indexOf(stop)).strip());
  }

  @Test
  void run_promptFromStandardInput_isAnswered() {
    Outcome outcome = Shell.runWithInput("Who are you?", "run", "--temp", "0", "-n", "40");

    assertThat(outcome.out()).contains("Kvasir");
  }

  @Test
  void run_promptLongerThanTheContext_saysBothNumbers() {
    Outcome outcome = Shell.run("run", "-p", "word ".repeat(200), "--context", "100", "-n", "1");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).startsWith("kvasir: the prompt has ").contains("100").hasLineCount(1);
  }

  @Test
  void tokenize_idsAndPieces() {
    String model =
        Shell.root().resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf").toString();

    String ids = succeed("tokenize", model, "--ids", "Once upon a time");

    assertThat(ids).matches("\\d+( \\d+)*\\n");
    assertThat(succeed("tokenize", model, "Once upon a time")).contains("'Once'", "' upon'");
    assertThat(Shell.runWithInput("Once upon a time", "tokenize", model, "--ids", "-").out())
        .isEqualTo(ids);
  }

  @Test
  void inspect_tellsShapeAndCacheCost() {
    assertThat(succeed("inspect")).contains("llama", "Q8_0", "GQA 2", "4.00 KiB");

    Json model = Json.parse(succeed("inspect", "--json"));
    assertThat(model.get("layers").asInt()).isEqualTo(8);
    assertThat(model.get("parameters").asLong()).isEqualTo(26_747_392L);
    assertThat(model.get("vocabulary").asInt()).isEqualTo(8192);
    assertThat(model.get("trained_context").asInt()).isEqualTo(4096);
  }

  @Test
  void bench_json_hasOneResultForEachCase() {
    String out =
        succeed(
            "bench",
            "-p",
            "8",
            "-n",
            "2",
            "-d",
            "0,16",
            "--batch",
            "1,2",
            "-r",
            "1",
            "--json",
            "--kv-format",
            "f16,f32");

    List<Json> results = Json.parse(out).asList();
    assertThat(results).hasSize(16);
    assertThat(results).allMatch(result -> result.get("tokens_per_second").asDouble() > 0);
    assertThat(results.stream().map(result -> result.get("test").asString()))
        .contains("pp8", "tg2", "pp8 @ d16", "tg2 @ d16");
    Json deep =
        results.stream()
            .filter(result -> result.get("test").asString().equals("tg2 @ d16"))
            .filter(result -> result.get("batch").asInt() == 2)
            .findFirst()
            .orElseThrow();
    // f16 rows of 4,096 bytes: 19 positions of two sequences, of which the middle step reads 18.
    assertThat(deep.get("kv_bytes").asLong()).isEqualTo(2 * 19 * 4096);
    assertThat(deep.get("step_bytes").asLong()).isBetween(25_000_000L, 30_000_000L);
    assertThat(deep.get("gigabytes_per_second").asDouble()).isPositive();
    assertThat(deep.get("copy_gigabytes_per_second").asDouble()).isPositive();
  }

  @Test
  void matmul_unknownOrNotInstalled_saysWhatToDo() {
    Outcome unknown = Shell.run("run", "-p", "Hi", "--matmul", "mkl");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("'mkl'", "machine-bf16", "machine-avx2", "onednn-bf16");
    Outcome missing = Shell.run("run", "-p", "Hi", "--matmul", "onednn-f32:" + folder);
    assertThat(missing.exitCode()).isEqualTo(1);
    assertThat(missing.err()).contains(folder.toString(), "scripts/onednn.sh");
    Outcome alone = Shell.run("run", "-p", "Hi", "--matmul-memory", "1GiB");
    assertThat(alone.err()).contains("--matmul-memory belongs to");
  }

  @Test
  void bench_shared_readsWhatIsBeforeOnce() {
    String[] alone = {
      "bench", "-p", "0", "-n", "2", "-d", "128", "-r", "1", "--batch", "3", "--json"
    };
    String[] shared = Arrays.copyOf(alone, alone.length + 1);
    shared[alone.length] = "--shared";

    Json apart = Json.parse(succeed(alone)).asList().getFirst();
    Json once = Json.parse(succeed(shared)).asList().getFirst();

    long token = apart.get("kv_bytes").asLong() / (3 * (128 + 1 + 2));
    assertThat(once.get("kv_bytes").asLong()).isEqualTo(token * (128 + 3 * (1 + 2)));
    assertThat(once.get("test").asString()).isEqualTo("tg2 @ d128 shared");
    assertThat(once.get("tokens_per_second").asDouble()).isPositive();
  }

  @Test
  void bench_depthBeyondTheContext_isMeasuredAtTheDeepestPlace() {
    String table = succeed("bench", "-p", "8", "-n", "0", "-d", "64", "-r", "1", "--context", "40");

    assertThat(table).contains("| pp8 @ d30 |");
  }

  @Test
  void quantize_writesAModelThatRuns() {
    String q4 = folder.resolve("q4.gguf").toString();
    String model = "models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf";

    String summary = succeed("quantize", Shell.root().resolve(model).toString(), q4, "q4_0");

    assertThat(summary).contains("q4.gguf", "MiB in q4_0", "largest relative error 0.");
    assertThat(succeed("run", q4, "-p", "Hi", "-n", "3", "--temp", "0")).isNotBlank();
    assertThat(Shell.run("quantize", q4, q4, "q8_0").err()).contains("exists", "--force");
    Outcome wrong = Shell.run("quantize", q4, folder.resolve("x").toString(), "q99");
    assertThat(wrong.exitCode()).isEqualTo(2);
    assertThat(wrong.err()).contains("'q99'");
  }
}
