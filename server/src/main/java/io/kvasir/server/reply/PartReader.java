package io.kvasir.server.reply;

import java.util.ArrayList;
import java.util.List;

/// Cuts an answer into parts while it comes: thoughts between `<think>` and `</think>`, then
/// content and tool calls. Read in pieces or at once, the parts are the same but for where they are
/// cut.
public final class PartReader {
  private static final String OPEN = "<think>";
  private static final String CLOSE = "</think>";

  private enum State {
    /// Thoughts may begin here.
    START,
    /// White space before thoughts.
    BEFORE_THOUGHTS,
    THOUGHTS,
    /// White space before content.
    BEFORE_CONTENT,
    CONTENT
  }

  private final CallReader calls;
  private final Held held = new Held();
  private State state;

  private PartReader(State state, CallReader calls) {
    this.state = state;
    this.calls = calls;
  }

  /// Reads an answer as `speech` says.
  public static PartReader of(Speech speech) {
    State state =
        switch (speech.thoughts()) {
          case NONE -> State.CONTENT;
          case POSSIBLE -> State.START;
          case OPEN -> State.BEFORE_THOUGHTS;
        };
    Speech.Tools tools = speech.tools();
    CallReader calls =
        tools == null
            ? new NoCalls()
            : CallReader.of(tools.syntax(), new Calls(tools.names(), tools.ids()));
    return new PartReader(state, calls);
  }

  /// Takes more text and returns the parts that are clear by now.
  public List<Part> append(String text) {
    List<Part> out = new ArrayList<>(2);
    held.add(text);
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case START -> start();
            case BEFORE_THOUGHTS -> space(State.THOUGHTS);
            case THOUGHTS -> thoughts(out);
            case BEFORE_CONTENT -> space(State.CONTENT);
            case CONTENT -> {
              if (!held.isEmpty()) {
                calls.append(held.takeAll(), out);
              }
              yield false;
            }
          };
    }
    return out;
  }

  private boolean start() {
    Held look = held.copy();
    if (!look.skipSpace() || look.mayStartWith(OPEN)) {
      return false;
    }
    state = State.CONTENT;
    if (look.startsWith(OPEN)) {
      held.skipSpace();
      held.take(OPEN);
      state = State.BEFORE_THOUGHTS;
    }
    return true;
  }

  private boolean space(State then) {
    if (!held.skipSpace()) {
      return false;
    }
    state = then;
    return true;
  }

  private boolean thoughts(List<Part> out) {
    int at = held.indexOf(CLOSE);
    reasoning(at < 0 ? held.takeBefore(CLOSE) : held.take(at).stripTrailing(), out);
    if (at >= 0) {
      held.take(CLOSE);
      state = State.BEFORE_CONTENT;
    }
    return at >= 0;
  }

  private static void reasoning(String text, List<Part> out) {
    if (!text.isEmpty()) {
      out.add(new Part.Reasoning(text));
    }
  }

  /// Ends the answer and returns what was held back.
  public List<Part> finish() {
    List<Part> out = new ArrayList<>(2);
    String rest = held.takeAll();
    switch (state) {
      case START, CONTENT -> calls.append(rest, out);
      case THOUGHTS -> reasoning(rest, out);
      case BEFORE_THOUGHTS, BEFORE_CONTENT -> {}
    }
    calls.finish(out);
    return out;
  }

  /// Whether the text so far ends within thoughts.
  public boolean isThinking() {
    return state == State.BEFORE_THOUGHTS || state == State.THOUGHTS;
  }

  /// How many tool calls have ended.
  public int calls() {
    return calls.count();
  }
}
