package io.kvasir.server.reply;

import java.util.List;

/// Calls between `<tool_call>` and `</tool_call>`, anywhere in the content. What stands between the
/// marks and is no call stays content.
final class HermesCalls implements CallReader {
  static final String OPEN = "<tool_call>";
  static final String CLOSE = "</tool_call>";

  private enum State {
    TEXT,
    CALL,
    CLOSING
  }

  private final Calls calls;
  private final Held held = new Held();
  private State state = State.TEXT;

  HermesCalls(Calls calls) {
    this.calls = calls;
  }

  @Override
  public void append(String text, List<Part> out) {
    held.add(text);
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case TEXT -> text(out);
            case CALL -> call(out);
            case CLOSING -> closing();
          };
    }
  }

  private boolean text(List<Part> out) {
    int at = held.indexOf(OPEN);
    if (at < 0) {
      String clear = held.takeBefore(OPEN);
      CallReader.content(clear, out);
      return false;
    }
    String before = held.take(at).stripTrailing();
    CallReader.content(before, out);
    held.take(OPEN);
    state = State.CALL;
    return true;
  }

  private boolean call(List<Part> out) {
    return switch (calls.scan(held, true, out)) {
      case OPEN -> false;
      case ENDED -> {
        state = State.CLOSING;
        yield true;
      }
      case NO_CALL -> {
        CallReader.content(OPEN + calls.abandon(), out);
        state = State.TEXT;
        yield true;
      }
    };
  }

  private boolean closing() {
    if (!held.skipSpace() || held.mayStartWith(CLOSE)) {
      return false;
    }
    held.take(CLOSE);
    state = State.TEXT;
    return true;
  }

  @Override
  public void finish(List<Part> out) {
    String rest = held.takeAll();
    switch (state) {
      case TEXT -> CallReader.content(calls.count() > 0 && rest.isBlank() ? "" : rest, out);
      case CALL -> {
        String raw = calls.abandon();
        CallReader.content(raw.isEmpty() ? "" : OPEN + raw, out);
      }
      case CLOSING -> {}
    }
  }

  @Override
  public int count() {
    return calls.count();
  }
}
