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
    boolean opened = CallReader.passTo(OPEN, held, out);
    state = opened ? State.CALL : State.TEXT;
    return opened;
  }

  private boolean call(List<Part> out) {
    return switch (calls.scan(held, true, out)) {
      case OPEN -> false;
      case ENDED -> {
        state = State.CLOSING;
        yield true;
      }
      case NO_CALL -> {
        CallReader.abandon(OPEN, calls, out);
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
      case TEXT -> CallReader.finish(rest, calls, out);
      case CALL -> CallReader.abandon(OPEN, calls, out);
      case CLOSING -> {}
    }
  }

  @Override
  public int count() {
    return calls.count();
  }
}
