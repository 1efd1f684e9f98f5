package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `kvasir eval` on the model that comes with Kvasir.
class EvalCommandTest {
  @TempDir Path folder;

  private static final String[] SMALL = {"--tokens", "96", "--window", "48", "--measure", "kl"};

  private static Outcome eval(String... options) {
    String[] args = new String[1 + SMALL.length + options.length];
    args[0] = "eval";
    System.arraycopy(SMALL, 0, args, 1, SMALL.length);
    System.arraycopy(options, 0, args, 1 + SMALL.length, options.length);
    return Shell.run(args);
  }

  @Test
  void json_holdsControlAndFloorAndFormats() {
    Outcome outcome = eval("--kv-format", "bf16", "--json");

    assertThat(outcome.err()).isEmpty();
    Json json = Json.parse(outcome.out());
    assertThat(json.get("documents").asInt()).isEqualTo(2);
    List<Json> rows = json.get("fidelity").asList();
    assertThat(rows.stream().map(row -> row.get("kv_format").asString()))
        .containsExactly("f32, other blocks", "f16", "bf16");
    assertThat(rows.get(0).get("kl").get("max").asDouble()).isZero();
    assertThat(rows.get(2).get("kl").get("mean").asDouble())
        .isGreaterThan(rows.get(1).get("kl").get("mean").asDouble());
    assertThat(rows.get(2).get("f16_ratio").asDouble()).isEqualTo(1);
    assertThat(rows.get(2).get("tokens").asInt()).isEqualTo(94);
  }

  @Test
  void table_isAligned() {
    Outcome outcome = eval();

    assertThat(outcome.exitCode()).isZero();
    List<String> lines = outcome.out().lines().toList();
    assertThat(lines.getFirst()).startsWith("format").contains("KL mean");
    assertThat(lines).hasSize(3);
  }

  @Test
  void text_isReadFromFiles() throws IOException {
    Path text = Files.writeString(folder.resolve("a.txt"), "The cat sat on the mat. ".repeat(9));

    Json json = Json.parse(eval("--text", text.toString(), "--json").out());

    assertThat(json.get("fidelity").asList().getFirst().get("tokens").asInt()).isBetween(50, 94);
  }

  @Test
  void wrongUse_isToldInOneSentence() throws IOException {
    Path empty = Files.writeString(folder.resolve("empty.txt"), "");

    assertOneSentence(eval("--text", empty.toString()), 1, "less than 2 tokens");
    assertOneSentence(
        eval("--text", folder.resolve("none.txt").toString()), 1, "there is no file", "none.txt");
    assertOneSentence(eval("--kv-format", "int99"), 2, "--kv-format", "int99");
    assertOneSentence(eval("--prune", "nobody:0.5"), 2, "--prune", "nobody", "snapkv");
    assertOneSentence(eval("--prune", "snapkv:1.5"), 2, "--prune", "1.5");
    assertOneSentence(eval("--kv-format", "auto:x"), 2, "--kv-format", "auto:x");
    assertOneSentence(eval("--kv-format", "auto:1"), 1, "256 bytes");
    assertOneSentence(eval("--kv-format", "int4[99=int8]"), 1, "int4[99=int8]", "8 layers");
    assertOneSentence(Shell.run("inspect", "--kv-format", "int4[99=int8]"), 1, "names layer 99");
    assertOneSentence(eval("--tokes", "5"), 2, "--tokes", "did you mean --tokens?");
    assertOneSentence(Shell.run("eval", "--tokens", "0"), 2, "--tokens", "0");
  }

  @Test
  void recall_isCountedByFormatAndLength() {
    Outcome outcome =
        Shell.run(
            "eval",
            "--measure",
            "recall",
            "--lengths",
            "300,500",
            "--contexts",
            "2",
            "--facts",
            "4",
            "--kv-format",
            "f16,int8",
            "--json");

    assertThat(outcome.err()).isEmpty();
    List<Json> rows = Json.parse(outcome.out()).get("recall").asList();
    assertThat(rows.stream().map(row -> row.get("kv_format").asString()))
        .containsExactly("f16", "int8");
    for (Json row : rows) {
      assertThat(row.get("questions").asInt()).isEqualTo(16);
      assertThat(row.get("right").asInt()).isGreaterThanOrEqualTo(13);
      assertThat(row.get("by_length").asList().get(1).get("tokens").asInt()).isEqualTo(500);
    }
    assertThat(rows.get(0).get("lost").asInt()).isZero();
    assertThat(rows.get(1).get("held_bytes_per_token").asDouble())
        .isLessThan(0.6 * rows.get(0).get("held_bytes_per_token").asDouble());
  }

  @Test
  void prune_rowsStandBesideTheWholeCache(@TempDir Path pictures) throws IOException {
    Path picture = pictures.resolve("recall.svg");
    Outcome outcome =
        Shell.run(
            "eval",
            "--prune",
            "window:0.5,0.75",
            "--lengths",
            "300,400",
            "--facts",
            "4",
            "--kv-format",
            "int8",
            "--svg",
            picture.toString(),
            "--json");

    assertThat(outcome.err()).isEmpty();
    Json json = Json.parse(outcome.out());
    assertThat(json.has("fidelity")).isFalse();
    List<Json> rows = json.get("recall").asList();
    assertThat(rows.stream().map(row -> row.get("kv_format") + " " + row.get("prune")))
        .hasSize(6)
        .doesNotHaveDuplicates();
    double whole = rows.get(0).get("held_bytes_per_token").asDouble();
    double half = rows.get(1).get("held_bytes_per_token").asDouble();
    double quarter = rows.get(2).get("held_bytes_per_token").asDouble();
    assertThat(half).isBetween(0.4 * whole, 0.9 * whole);
    assertThat(quarter).isLessThan(half);
    assertThat(rows.get(2).get("kept").asDouble()).isEqualTo(0.25);
    assertThat(rows.get(0).get("right").asInt()).isGreaterThan(rows.get(2).get("right").asInt());
    Json budgets = json.get("equal_bytes");
    assertThat(budgets.asList().getFirst().get("both").get("name").asString())
        .startsWith("int8 window:");
    assertThat(Files.readString(picture)).startsWith("<svg ").contains("int8 window:0.75");
  }

  @Test
  void recall_lengthsThatDoNotFit_areAFailure() {
    assertOneSentence(
        Shell.run("eval", "--measure", "recall", "--lengths", "9000"), 1, "9000", "4096");
    assertOneSentence(
        Shell.run("eval", "--measure", "recall", "--context", "600"), 1, "1024", "600");
    assertOneSentence(
        Shell.run("eval", "--svg", folder.resolve("none/a.svg").toString()),
        2,
        "there is no folder",
        "none");
    assertOneSentence(Shell.run("eval", "--facts", "33"), 2, "--facts", "33");
    assertOneSentence(Shell.run("eval", "--measure", "taste"), 2, "--measure", "taste");
  }

  @Test
  void svg_ofAFailedRun_leavesThePictureOfBefore() throws IOException {
    Path picture = Files.writeString(folder.resolve("before.svg"), "<svg/>");

    assertOneSentence(
        eval("--svg", picture.toString(), "--text", folder.resolve("none.txt").toString()),
        1,
        "none.txt");
    assertThat(picture).hasContent("<svg/>");
  }

  @Test
  void prune_whatCannotBePruned_isToldBeforeAnythingIsMeasured() throws IOException {
    Path model = Shell.root().resolve("models/kvasir-stories");
    Path copy = folder.resolve("copy.gguf");
    try (DirectoryStream<Path> files = Files.newDirectoryStream(model, "*.gguf")) {
      Files.copy(files.iterator().next(), copy);
    }

    // Nothing of what is asked for beside it is measured and lost.
    assertOneSentence(
        Shell.run("eval", copy.toString(), "--prune", "window:0.5", "--prune", "kvzap:0.5"),
        1,
        "f16 kvzap:0.5: kvzap needs weights");
    assertOneSentence(
        Shell.run("eval", "--kv-format", "int8,kivi4", "--prune", "window:0.5"),
        1,
        "kivi4 window:0.5",
        "encode");
  }

  private static void assertOneSentence(Outcome outcome, int exitCode, String... parts) {
    assertThat(outcome.exitCode()).as(outcome.err()).isEqualTo(exitCode);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err().strip().lines()).hasSize(1);
    assertThat(outcome.err()).startsWith("kvasir: ").contains(parts);
  }
}
