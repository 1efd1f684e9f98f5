package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.acceptance.LauncherHouse.Outcome;
import io.kvasir.compute.Tensor;
import io.kvasir.model.file.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The whole program as its users start it: launcher, JVM, command, model.
class EndToEndTest {
  private static final String LAUNCHER = ReferenceData.project().resolve("kvasir").toString();
  private static final String MODEL =
      ReferenceData.project()
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf")
          .toString();

  @TempDir Path folder;

  private Outcome kvasir(String... arguments) throws IOException, InterruptedException {
    return kvasir(Map.of(), arguments);
  }

  private Outcome kvasir(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(LAUNCHER));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().putAll(environment);
    return LauncherHouse.finish(builder.start());
  }

  @Test
  void run_fromAnotherFolder_answersAndSaysNothingElse() throws Exception {
    Outcome outcome = kvasir("run", "-p", "Who are you?", "--temp", "0", "-n", "40");

    assertThat(outcome.exitCode()).as(outcome.err()).isZero();
    assertThat(outcome.out()).contains("Kvasir");
    assertThat(outcome.err()).isEmpty();
  }

  @Test
  void wrongUsage_isOneSentenceAndExitCode2() throws Exception {
    Outcome outcome = kvasir("run", "--tmp", "0");

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).startsWith("kvasir: unknown option --tmp").hasLineCount(1);
  }

  @Test
  void failure_isOneSentenceAndExitCode1() throws Exception {
    Outcome outcome = kvasir("run", "no/such/model.gguf", "-p", "Hi");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).startsWith("kvasir: ").contains("no/such/model.gguf");
    assertThat(outcome.err()).hasLineCount(1);
  }

  @Test
  void userOptionsForTheJvm_areSeenWhenTheyAreWrong() throws Exception {
    Outcome outcome = kvasir(Map.of("KVASIR_JAVA_OPTS", "-XX:+NoSuchOption"), "--version");

    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.out() + outcome.err()).contains("NoSuchOption");
  }

  @Test
  void textOfAnyLanguage_arrivesWholeInABareLocale() throws Exception {
    String text = "żółw 狐狸 🦊";
    Map<String, String> bare = Map.of("LC_ALL", "", "LC_CTYPE", "", "LANG", "C");

    String ids = kvasir(bare, "tokenize", MODEL, "--ids", text).out();

    Path file = Files.writeString(folder.resolve("text"), text, StandardCharsets.UTF_8);
    ProcessBuilder builder = new ProcessBuilder(LAUNCHER, "tokenize", MODEL, "--ids", "-");
    Outcome piped = LauncherHouse.finish(builder.redirectInput(file.toFile()).start());
    assertThat(ids).isNotBlank().isEqualTo(piped.out());
  }

  @Test
  void logits_ofAReferenceCase_matchGoldenInEverySetUp() throws Exception {
    Path model = ReferenceData.folder("reference/hf/llama-gqa");
    Path out = folder.resolve("out.safetensors");
    byte[] first = null;
    try (SafetensorsFile golden = SafetensorsFile.open(model.resolve("golden.safetensors"))) {
      String ids =
          Arrays.stream(golden.get("input_ids").data().toArray(ValueLayout.JAVA_LONG))
              .mapToObj(Long::toString)
              .collect(Collectors.joining(","));
      for (String options : List.of("", "--no-kv-cache", "--prefill-chunk 7 --block-tokens 16")) {
        List<String> arguments =
            new ArrayList<>(List.of("logits", model.toString(), "--ids", ids, "--greedy", "24"));
        arguments.addAll(List.of("--out", out.toString()));
        arguments.addAll(options.isEmpty() ? List.of() : List.of(options.split(" ")));
        Outcome outcome = kvasir(arguments.toArray(String[]::new));
        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        byte[] written = Files.readAllBytes(out);
        first = first == null ? written : first;
        assertThat(written).as(options).isEqualTo(first);
      }
      try (SafetensorsFile computed = SafetensorsFile.open(out)) {
        assertThat(difference(golden.get("logits"), computed.get("logits"))).isLessThan(5e-4);
        assertThat(computed.get("greedy_ids").data().toArray(ValueLayout.JAVA_LONG))
            .isEqualTo(golden.get("greedy_ids").data().toArray(ValueLayout.JAVA_LONG));
      }
    }
  }

  private static double difference(Tensor expected, Tensor actual) {
    float[] a = expected.toFloats();
    float[] b = actual.toFloats();
    assertThat(b).hasSameSizeAs(a);
    double worst = 0;
    for (int i = 0; i < a.length; i++) {
      double d = Math.abs(a[i] - b[i]);
      worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
    }
    return worst;
  }

  @Test
  void chat_onATerminal_answersAndObeysCommands() throws Exception {
    Assumptions.assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/script")),
        "[no-terminal] the command script, which gives a terminal, is not installed");
    ProcessBuilder builder =
        new ProcessBuilder(
            "/usr/bin/script", "-qec", "'" + LAUNCHER + "' run --temp 0 -n 40", "/dev/null");
    builder.environment().put("XDG_STATE_HOME", folder.resolve("state").toString());
    builder.environment().put("TERM", "xterm");
    Outcome outcome;
    try (TypedSession terminal = new TypedSession(builder)) {
      terminal.await("/help.");
      terminal.type("Who are you?", "story.");
      terminal.type("/stats", "blocks used");
      terminal.type("/nonsense", "There is no command /nonsense");
      outcome = terminal.end("/exit");
    }

    assertThat(outcome.out()).contains("I am Kvasir");
    assertThat(folder.resolve("state/kvasir/chat-history")).content().contains("Who are you?");
    assertThat(outcome.exitCode()).isZero();
  }
}
