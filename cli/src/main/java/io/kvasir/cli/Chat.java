package io.kvasir.cli;

import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.PromptTooLongException;
import io.kvasir.engine.TextStream;
import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.model.plan.Sizes;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jspecify.annotations.Nullable;

/// A conversation on a terminal: lines with history, commands that begin with `/`, Ctrl-C that
/// stops the answer and not the program, Ctrl-D that leaves.
final class Chat {
  private static final String HELP =
      """
      /reset   forget the conversation and free its cache
      /stats   what the last answer cost and what the cache holds
      /help    this list
      /exit    leave, as Ctrl-D does
      Ctrl-C stops an answer.\
      """;

  private final OpenModel model;
  private final Conversation conversation;
  private final Terminal terminal;
  private final LineReader reader;
  private @Nullable Outcome last;

  private volatile @Nullable TextStream running;

  Chat(OpenModel model, Conversation conversation, Terminal terminal, @Nullable Path history) {
    this.model = model;
    this.conversation = conversation;
    this.terminal = terminal;
    LineReaderBuilder builder =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .appName("kvasir")
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true);
    if (history != null) {
      builder.variable(LineReader.HISTORY_FILE, history);
    }
    this.reader = builder.build();
    terminal.handle(Terminal.Signal.INT, signal -> stopAnswer());
  }

  /// Talks until the input ends.
  static int start(OpenModel model, Conversation conversation, Surroundings surroundings)
      throws IOException, InterruptedException {
    try (Terminal terminal = TerminalBuilder.builder().name("kvasir").system(true).build()) {
      return new Chat(model, conversation, terminal, historyFile(surroundings.environment()))
          .talk();
    }
  }

  /// Where lines are kept between conversations; null where no folder can be made.
  private static @Nullable Path historyFile(Map<String, String> environment) {
    String state = environment.getOrDefault("XDG_STATE_HOME", "");
    Path folder =
        state.isEmpty()
            ? Path.of(environment.getOrDefault("HOME", "."), ".local", "state", "kvasir")
            : Path.of(state, "kvasir");
    try {
      return Files.createDirectories(folder).resolve("chat-history");
    } catch (IOException e) {
      return null;
    }
  }

  int talk() throws InterruptedException {
    print(model.description());
    print("Say something, or /help.");
    while (true) {
      String line;
      try {
        line = reader.readLine("> ").strip();
      } catch (UserInterruptException e) {
        continue;
      } catch (EndOfFileException e) {
        return Main.OK;
      }
      if (line.equals("/exit") || line.equals("/quit")) {
        return Main.OK;
      }
      if (line.startsWith("/")) {
        command(line);
      } else if (!line.isEmpty()) {
        answer(line);
      }
    }
  }

  private void command(String line) {
    switch (line) {
      case "/help" -> print(HELP);
      case "/stats" -> printStats();
      case "/reset" -> {
        conversation.reset();
        last = null;
        print("The conversation is forgotten.");
      }
      default -> print("There is no command " + line + "; /help lists them.");
    }
  }

  private void printStats() {
    Outcome outcome = last;
    if (outcome != null) {
      print(AnswerReport.line(outcome));
    }
    KvCacheStats cache = model.engine().cacheStats();
    print(
        String.format(
            Locale.ROOT,
            "cache: %d of %d blocks used, %d more cached, %s of %s, %d tokens",
            cache.heldBlocks(),
            cache.capacityBlocks(),
            cache.cachedBlocks(),
            Sizes.bytes(cache.heldBytes()),
            Sizes.bytes(cache.capacityBlocks() * cache.blockBytes()),
            cache.tokens()));
  }

  private void answer(String line) throws InterruptedException {
    TextStream answer;
    try {
      answer = conversation.ask(line);
    } catch (PromptTooLongException e) {
      print(
          "The conversation fills the context; /reset starts a new one. (" + e.getMessage() + ")");
      return;
    }
    running = answer;
    StringBuilder text = new StringBuilder();
    PrintWriter out = terminal.writer();
    while (answer.advance()) {
      text.append(answer.text());
      out.print(answer.text());
      out.flush();
    }
    running = null;
    Outcome outcome = Conversation.outcome(answer);
    conversation.answered(text.toString());
    last = outcome;
    print(outcome.reason() == FinishReason.CANCELLED ? " ..." : "");
  }

  private void stopAnswer() {
    TextStream answer = running;
    if (answer != null) {
      answer.cancel();
    }
  }

  private void print(String text) {
    terminal.writer().println(text);
    terminal.flush();
  }
}
