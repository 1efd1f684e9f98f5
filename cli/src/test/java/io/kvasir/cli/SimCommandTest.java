package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SimCommandTest {
  private static final String CHAT = "gen:chat,requests=400";

  @TempDir Path folder;

  private static void assertOneSentence(Outcome outcome, int exitCode, String... parts) {
    assertThat(outcome.exitCode()).as(outcome.err()).isEqualTo(exitCode);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err().strip().lines()).hasSize(1);
    assertThat(outcome.err()).startsWith("kvasir: ").contains(parts);
  }

  @Test
  void table_allPolicies_hasFloorDefaultAndCeiling() {
    Outcome outcome = Shell.run("sim", CHAT, "--blocks", "300,1000");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .startsWith(CHAT + ": 400 requests, ")
        .containsPattern("(?m)^policy +blocks +hit rate +x LRU +saved s +evictions +ns/call$")
        .containsPattern("(?m)^none +300 +0\\.0000 +0\\.000 ")
        .containsPattern("(?m)^lru( \\*)? +1000 +0\\.\\d{4} +1\\.000 ")
        .containsPattern("(?m)^clairvoyant +1000 +0\\.\\d{4} +[1-9]\\.\\d{3} ")
        .contains(" * ", "* the default policy");
  }

  @Test
  void json_mooncake_hasTheReferenceFigures() {
    Path trace = Shell.root().resolve("../shared/traces/mooncake-conversation.jsonl");
    if (!Files.exists(trace)) {
      Assumptions.abort("[no-reference-data] ../shared/traces is not there");
    }

    Outcome outcome =
        Shell.run(
            "sim",
            trace.toString(),
            "--policy",
            "lru,clairvoyant",
            "--blocks",
            "1000,3000",
            "--json");

    assertThat(outcome.err()).isEmpty();
    Json report = Json.parse(outcome.out());
    assertThat(report.asMap().keySet()).containsExactly("trace", "rows");
    assertThat(report.get("trace").asString()).isEqualTo(trace.toString());
    assertThat(report.get("rows").asList().stream().map(SimCommandTest::summary))
        .containsExactly(
            "lru 1000 0.0445",
            "lru 3000 0.0653",
            "clairvoyant 1000 0.1907",
            "clairvoyant 3000 0.2945");
  }

  private static String summary(Json row) {
    return "%s %d %.4f"
        .formatted(
            row.get("policy").asString(),
            row.get("blocks").asInt(),
            row.get("hit_rate").asDouble());
  }

  @Test
  void json_default_isMarkedOnce() {
    Json report = Json.parse(Shell.run("sim", CHAT, "--blocks", "300", "--json").out());

    long marked =
        report.get("rows").asList().stream().filter(row -> row.get("default").asBoolean()).count();
    assertThat(marked).isEqualTo(1);
  }

  @Test
  void policyWithoutLru_isStillComparedWithIt() {
    Outcome outcome =
        Shell.run("sim", CHAT, "--policy", "clairvoyant", "--blocks", "300", "--json");

    Json rows = Json.parse(outcome.out()).get("rows");
    assertThat(rows.asList()).hasSize(1);
    assertThat(rows.asList().getFirst().get("ratio_to_lru").asDouble()).isGreaterThan(1.0);
  }

  @Test
  void tiers_haveColumnsOfTheirOwn() {
    Outcome outcome =
        Shell.run(
            "sim",
            CHAT,
            "--policy",
            "lru",
            "--blocks",
            "300",
            "--tiers",
            "host=500@1e6,disk=100000");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out())
        .containsPattern("(?m)^policy +blocks +hit rate +x LRU +\\+host +\\+disk +all +saved s ");
  }

  @Test
  void concurrent_showsWhatRanAndWaited() {
    Outcome outcome = Shell.run("sim", CHAT, "--policy", "lru", "--blocks", "300", "--concurrent");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).containsPattern("(?m)^policy .* running +wait s +refused$");
  }

  @Test
  void plot_writesAPicture() throws IOException {
    Path file = folder.resolve("p.svg");

    Outcome outcome =
        Shell.run("sim", CHAT, "--policy", "lru", "--blocks", "300,600", "--plot", file.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(Files.readString(file))
        .startsWith("<svg")
        .contains("lru", "600")
        .endsWith("</svg>\n");
  }

  @Test
  void write_savesATraceThatReplaysTheSame() {
    String file = folder.resolve("t.jsonl").toString();

    Outcome written = Shell.run("sim", CHAT, "--write", file);
    assertThat(written.err()).isEmpty();
    assertThat(written.out()).isEqualTo(CHAT + ": 400 requests written to " + file + "\n");

    String[] replay = {"--policy", "lru", "--blocks", "300,1000", "--json"};
    assertThat(rates(file, replay)).isEqualTo(rates(CHAT, replay)).hasSize(2);
  }

  private static List<Double> rates(String trace, String... options) {
    String[] args = new String[options.length + 2];
    args[0] = "sim";
    args[1] = trace;
    System.arraycopy(options, 0, args, 2, options.length);
    return Json.parse(Shell.run(args).out()).get("rows").asList().stream()
        .map(row -> row.get("hit_rate").asDouble())
        .toList();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          --policy nope           | there is no policy 'nope'; there are all, none, lru,
          --policy lru,,slru      | there is no policy ''
          --blocks 0              | '0'
          --blocks 10,x           | 'x'
          --blocks 2000000000     | not 2000000000
          --tiers host            | --tiers wants name=blocks or name=blocks@rate, such as host=10000, not 'host'
          --tiers host=many       | not 'host=many'
          --tiers host=0          | tier 'host' must hold at least one block: 0
          --tiers host=5@0        | tier 'host' must load more than 0 tokens per second: 0.0
          --tiers host=5,host=6   | --tiers takes up to 8 tiers of different names
          --prefill-rate -1       | rates must be more than 0
          --decode-rate x         | 'x'
          --plot p.png            | --plot draws SVG only: 'p.png' should be a file that ends with .svg
          --write t.jsonl --json  | --write saves the trace and replays nothing
          --polic lru             | did you mean --policy
          """)
  void wrongOption_isAUsageErrorThatNamesIt(String options, String complaint) {
    assertOneSentence(Shell.run(("sim " + CHAT + " " + options).split(" ")), 2, complaint);
  }

  @Test
  void wrongTrace_isOneSentence() throws IOException {
    Path damaged =
        Files.writeString(folder.resolve("d.jsonl"), "{\"hash_ids\":[1]}\n{\"hash_ids\":");

    assertOneSentence(Shell.run("sim"), 2, "TRACE");
    assertOneSentence(Shell.run("sim", "gen:nope"), 2, "there is no workload 'gen:nope'");
    assertOneSentence(Shell.run("sim", "gen:chat,x=1"), 2, "gen:chat has no setting 'x'");
    assertOneSentence(Shell.run("sim", "nope.jsonl"), 1, "there is no file 'nope.jsonl'");
    assertOneSentence(Shell.run("sim", folder.toString()), 1, "is a folder");
    assertOneSentence(
        Shell.run("sim", damaged.toString()), 1, damaged + ", line 2: the line ends inside");
    assertOneSentence(
        Shell.run("sim", CHAT, "--plot", "no/such/folder/p.svg"), 1, "no folder", "--plot");
  }
}
