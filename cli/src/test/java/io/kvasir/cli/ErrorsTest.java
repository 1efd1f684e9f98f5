package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.file.SafetensorsWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What goes wrong is told in one sentence that names the value; usage errors end with 2, others
/// with 1.
class ErrorsTest {
  @TempDir Path folder;

  private static ByteArrayOutputStream out() {
    return new ByteArrayOutputStream();
  }

  private static void assertOneSentence(Outcome outcome, int exitCode, String... parts) {
    assertThat(outcome.exitCode()).as(outcome.err()).isEqualTo(exitCode);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err().strip().lines()).hasSize(1);
    assertThat(outcome.err()).startsWith("kvasir: ").contains(parts);
  }

  @Test
  void noArguments_showsOneScreen() {
    Outcome outcome = Shell.run();

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("Usage:", "tokenize", "--help");
    assertThat(outcome.out().lines().count()).isLessThanOrEqualTo(40);
    assertThat(outcome.out().lines()).allMatch(line -> line.length() <= 80);
  }

  @Test
  void help_ofEveryCommand_isShown() {
    for (String command :
        KvasirCommand.commandLine(Shell.surroundings("", out(), out())).getSubcommands().keySet()) {
      Outcome outcome = Shell.run(command, "--help");

      assertThat(outcome.exitCode()).as(command).isZero();
      assertThat(outcome.out()).startsWith("Usage: ./kvasir " + command);
    }
  }

  @Test
  void unknownCommand_suggestsTheNearest() {
    assertOneSentence(Shell.run("tokeniz"), 2, "unknown command tokeniz", "tokenize");
  }

  @Test
  void unknownOption_suggestsTheNearest() {
    assertOneSentence(
        Shell.run("tokenize", "--idz", "model", "text"), 2, "--idz", "did you mean --ids?");
  }

  @Test
  void missingParameters_areNamed() {
    assertOneSentence(Shell.run("tokenize"), 2, "MODEL", "TEXT", "./kvasir tokenize --help");
  }

  @Test
  void missingFile_isNamed() {
    String missing = folder.resolve("nope.gguf").toString();

    assertOneSentence(Shell.run("tokenize", missing, "x"), 1, missing, "GGUF file");
  }

  @Test
  void folderWithoutConfig_saysWhatAModelFolderHolds() {
    assertOneSentence(
        Shell.run("tokenize", folder.toString(), "x"), 1, folder.toString(), "config.json");
  }

  @Test
  void fileOfAnotherKind_isNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("poem.gguf"), "no magic here, only words");

    assertOneSentence(Shell.run("tokenize", file.toString(), "x"), 1, file.toString());
  }

  @Test
  void stackTrace_onlyWithVerbose() {
    Outcome outcome = Shell.run("tokenize", "-v", "nope", "x");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).startsWith("kvasir: ").contains("\tat ", "ModelLocation.resolve");
  }

  @Test
  void numberBelowOne_isRefused() {
    assertOneSentence(
        Shell.run("logits", "--ids", "1", "--out", out("x"), "--prefill-chunk", "-1"),
        2,
        "--prefill-chunk",
        "'-1'");
  }

  @Test
  void idsThatAreNone_areNamed() throws IOException {
    assertOneSentence(Shell.run("logits", "--ids", "1,x", "--out", out("x")), 2, "'x'", "1,2,3");
    Path file = Files.writeString(folder.resolve("ids.json"), "{\"ids\": [1, \"two\"]}");
    assertOneSentence(
        Shell.run("logits", "--ids-file", file.toString(), "--out", out("x")),
        1,
        file.toString(),
        "\"two\"");
  }

  @Test
  void idsMissing_saysWhichOptionsGiveThem() {
    assertOneSentence(Shell.run("logits", "--out", out("x")), 2, "--ids", "--ids-file");
  }

  @Test
  void idOutsideTheVocabulary_isNamed() {
    assertOneSentence(
        Shell.run("logits", "--ids", "1,8192", "--out", out("x")), 1, "8192", "0 to 8191");
  }

  @Test
  void moreIdsThanTheContext_saysBothNumbers() {
    assertOneSentence(
        Shell.run("logits", "--ids", "1,2,3", "--context", "2", "--out", out("x")), 1, "3", "2");
  }

  @Test
  void cudaWithoutADriver_saysSoAndWhatToDo() {
    System.setProperty("kvasir.cuda.library", "libcuda-that-is-not-here.so.1");
    try {
      String[] device = {"logits", "--ids", "1", "--out", out("x"), "--device", "cuda"};
      assertOneSentence(Shell.run(device), 1, "cuda", "no NVIDIA driver", "--device cpu");
      device[device.length - 1] = "auto";
      assertThat(Shell.run(device).exitCode()).isZero();
    } finally {
      System.clearProperty("kvasir.cuda.library");
    }
  }

  @Test
  void deviceOrFormatThatIsNone_isNamedWithTheChoice() {
    String[] device = {"logits", "--ids", "1", "--out", out("x"), "--device", "tpu"};
    assertOneSentence(Shell.run(device), 2, "'tpu'", "cpu");
    String[] format = {"logits", "--ids", "1", "--out", out("x"), "--kv-format", "int3"};
    assertOneSentence(Shell.run(format), 2, "'int3'", "f16");
    String[] block = {"logits", "--ids", "1", "--out", out("x"), "--block-tokens", "20"};
    assertOneSentence(Shell.run(block), 2, "20", "multiple of 16");
  }

  @Test
  void folderThatCannotBeWritten_isNamed() {
    String missing = folder.resolve("no/such/x.safetensors").toString();

    assertOneSentence(Shell.run("logits", "--ids", "1", "--out", missing), 1, "no/such");
  }

  private String out(String name) {
    return folder.resolve(name).toString();
  }

  @Test
  void tokensBelowOne_areRefused() {
    assertOneSentence(Shell.run("run", "-p", "Hi", "-n", "-1"), 2, "-n", "'-1'", "at least 1");
  }

  @Test
  void samplingOutOfRange_isRefused() {
    assertOneSentence(Shell.run("run", "-p", "Hi", "--temp", "-2"), 2, "temperature", "-2");
    assertOneSentence(Shell.run("run", "-p", "Hi", "--top-p", "1.5"), 2, "top-p", "1.5");
    assertOneSentence(Shell.run("run", "-p", "Hi", "--temp", "warm"), 2, "--temp", "'warm'");
  }

  @Test
  void unknownArchitecture_isNamedWithThoseThatAreSupported() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"megabrain\"}");
    new SafetensorsWriter().add("x", new float[1], 1).write(folder.resolve("model.safetensors"));
    String[] args = {"logits", folder.toString(), "--ids", "1", "--out", out("x")};

    assertOneSentence(Shell.run(args), 1, "megabrain", "llama", "qwen3");
  }

  @Test
  void caseWithoutMessages_isRefused() throws IOException {
    Path template = Files.writeString(folder.resolve("t.jinja"), "{{ messages }}");
    Path input = Files.writeString(folder.resolve("case.json"), "{\"message\": []}");

    assertOneSentence(
        Shell.run("template", template.toString(), "--input", input.toString()), 1, "'messages'");
  }

  @Test
  void templateWithAnError_namesItsLine() throws IOException {
    Path template = Files.writeString(folder.resolve("t.jinja"), "one\n{% if %}");
    Path input = Files.writeString(folder.resolve("case.json"), "{\"messages\": []}");

    assertOneSentence(
        Shell.run("template", template.toString(), "--input", input.toString()), 1, "line 2");
  }

  @Test
  void nameThatWasNotPulled_saysHowToPullIt() {
    assertOneSentence(
        Shell.run("run", "some/model", "-p", "Hi"), 1, "'some/model'", "./kvasir pull some/model");
  }
}
