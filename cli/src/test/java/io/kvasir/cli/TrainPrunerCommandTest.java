package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.kvcache.prune.LinearScorer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `kvasir train-pruner` on the model that comes with Kvasir.
class TrainPrunerCommandTest {
  @TempDir Path folder;

  private Outcome train(String... options) {
    String[] args = new String[3 + options.length];
    args[0] = "train-pruner";
    args[1] = "--out";
    args[2] = weights().toString();
    System.arraycopy(options, 0, args, 3, options.length);
    return Shell.run(args);
  }

  private Path weights() {
    return folder.resolve("weights.kvzap");
  }

  @Test
  void weights_ofWhatTheModelWrites_fitTheModel() throws IOException {
    Outcome outcome = train("--texts", "2", "--length", "200");

    assertThat(outcome.exitCode()).as(outcome.err()).isZero();
    assertThat(outcome.out()).contains("weights.kvzap", "trained on").hasLineCount(1);
    LinearScorer trained = LinearScorer.read(weights());
    LinearScorer shipped = LinearScorer.read(shipped());
    assertThat(trained.layers()).isEqualTo(shipped.layers());
    assertThat(trained.heads()).isEqualTo(shipped.heads());
    assertThat(trained.width()).isEqualTo(shipped.width());
  }

  @Test
  void weights_ofAFile_areThoseOfItsFirstPieces() throws IOException {
    Path text = Files.writeString(folder.resolve("a.txt"), "The cat sat on the mat. ".repeat(90));

    Outcome outcome = train("--text", text.toString(), "--texts", "2", "--length", "150");

    assertThat(outcome.exitCode()).as(outcome.err()).isZero();
    assertThat(outcome.out()).contains("trained on 300 tokens");
    byte[] first = Files.readAllBytes(weights());
    // What comes behind the last piece counts for nothing.
    Files.writeString(text, "The cat sat on the mat. ".repeat(90) + "Then the dog came in.");
    assertThat(train("--text", text.toString(), "--texts", "2", "--length", "150").exitCode())
        .isZero();
    assertThat(weights()).hasBinaryContent(first);
  }

  @Test
  void wrongUse_isToldInOneSentence() throws IOException {
    Path empty = Files.writeString(folder.resolve("empty.txt"), "");

    assertOneSentence(train("--text", empty.toString()), 1, "less than 2 tokens");
    assertOneSentence(train("--text", folder.resolve("none.txt").toString()), 1, "none.txt");
    assertOneSentence(train("--texts", "0"), 2, "--texts", "0");
    assertThat(weights()).doesNotExist();
  }

  private static Path shipped() throws IOException {
    Path model = Shell.root().resolve("models/kvasir-stories");
    try (var files = Files.newDirectoryStream(model, "*.kvzap")) {
      return files.iterator().next();
    }
  }

  private static void assertOneSentence(Outcome outcome, int exitCode, String... parts) {
    assertThat(outcome.exitCode()).as(outcome.err()).isEqualTo(exitCode);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err().strip().lines()).hasSize(1);
    assertThat(outcome.err()).startsWith("kvasir: ").contains(parts);
  }
}
