package io.kvasir.cli;

import io.kvasir.engine.Outcome;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TextStream;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir run`: one answer, or a conversation on a terminal.
@Command(
    name = "run",
    description = {
      "Answer a prompt; without one, chat on a terminal or answer what standard input holds.",
      "The prompt becomes a message of the model's chat template, if it has one."
    })
final class RunCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();
  @Mixin SamplerOptions sampler = new SamplerOptions();
  @Mixin PruneOption prune = new PruneOption();

  @Mixin ModelArgument model = new ModelArgument();

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "PROMPT",
      description = "What to answer.")
  private @Nullable String prompt;

  @Option(
      names = {"-f", "--prompt-file"},
      paramLabel = "FILE",
      description = "Read the prompt from a file.")
  private @Nullable Path promptFile;

  @Option(
      names = "-n",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Most tokens of an answer. Default: ${DEFAULT-VALUE}.")
  private int tokens = 1024;

  @Option(names = "--system", paramLabel = "TEXT", description = "The system message.")
  private @Nullable String system;

  @Option(names = "--raw", description = "Continue the prompt as it is, without chat template.")
  private boolean raw;

  @Option(
      names = "--json",
      description = "Print one JSON object: text, timings, tokens per second, cache bytes.")
  private boolean json;

  @Option(
      names = "--token-times",
      description = "With --json: when each token came, in milliseconds after the prompt.")
  private boolean tokenTimes;

  @Option(
      names = "--ignore-eos",
      description = "Go on where the model would end its answer, to measure a fixed length.")
  private boolean ignoreEos;

  RunCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    SamplingOptions sampling = sampler.toOptions();
    Conversation.Settings settings =
        new Conversation.Settings(
            tokens, sampling, sampler.stops(), system, raw, ignoreEos, prune.options());
    String text = promptText();
    if (text != null && text.isEmpty()) {
      throw new UsageException("the prompt is empty; say something with -p");
    }
    long start = System.nanoTime();
    try (OpenModel open = OpenModel.open(model, engine, surroundings)) {
      long loadNanos = System.nanoTime() - start;
      if (common.verbose()) {
        surroundings.err().println(open.description());
      }
      try (Conversation conversation = new Conversation(open, settings)) {
        if (text == null) {
          return Chat.start(open, conversation, surroundings);
        }
        answer(conversation.ask(text), new AnswerReport(open, sampling, loadNanos));
      }
    }
    return Main.OK;
  }

  /// The prompt, or null to chat.
  private @Nullable String promptText() throws IOException {
    if (prompt != null && promptFile != null) {
      throw new UsageException("-p and --prompt-file exclude each other; give one of them");
    }
    if (prompt != null) {
      return prompt;
    }
    if (promptFile != null) {
      return Files.readString(promptFile);
    }
    if (surroundings.inputIsTerminal() && surroundings.outputIsTerminal()) {
      if (json) {
        throw new UsageException("--json needs a prompt; give one with -p");
      }
      return null;
    }
    return new String(surroundings.in().readAllBytes(), StandardCharsets.UTF_8);
  }

  private void answer(TextStream answer, AnswerReport report) throws InterruptedException {
    StringBuilder text = new StringBuilder();
    List<Json> times = new ArrayList<>();
    long start = System.nanoTime();
    while (answer.advance()) {
      times.add(AnswerReport.millis(System.nanoTime() - start));
      text.append(answer.text());
      if (!json) {
        surroundings.out().print(answer.text());
        surroundings.out().flush();
        if (surroundings.out().checkError()) {
          answer.cancel(); // Whoever read the answer has gone.
        }
      }
    }
    Outcome outcome = Conversation.outcome(answer);
    surroundings
        .out()
        .println(
            json
                ? report.json(text.toString(), outcome, tokenTimes ? times : List.of()).toText()
                : "");
    if (common.verbose()) {
      surroundings.err().println(AnswerReport.line(outcome));
    }
  }
}
