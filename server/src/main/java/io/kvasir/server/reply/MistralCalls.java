package io.kvasir.server.reply;

import java.util.List;

/// Calls after `[TOOL_CALLS]`: a list of objects, or a name, `[ARGS]` and the arguments. With
/// `[CALL_ID]` between name and arguments, what follows it is skipped.
final class MistralCalls implements CallReader {
  static final String OPEN = "[TOOL_CALLS]";
  private static final String ARGUMENTS = "[ARGS]";
  private static final String ID = "[CALL_ID]";

  private enum State {
    TEXT,
    START,
    LIST,
    CALL,
    NAME,
    VALUE
  }

  private final Calls calls;
  private final Held held = new Held();
  private State state = State.TEXT;
  private JsonSpan span = new JsonSpan();

  MistralCalls(Calls calls) {
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
            case START -> start();
            case LIST -> list();
            case CALL -> call(out);
            case NAME -> name(out);
            case VALUE -> value(out);
          };
    }
  }

  private boolean text(List<Part> out) {
    boolean opened = CallReader.passTo(OPEN, held, out);
    state = opened ? State.START : State.TEXT;
    return opened;
  }

  private boolean start() {
    if (!held.skipSpace()) {
      return false;
    }
    char first = held.first();
    if (first == '[') {
      held.take(1);
      state = State.LIST;
    } else {
      state = first == '{' ? State.CALL : State.NAME;
    }
    return true;
  }

  private boolean list() {
    if (!held.skipSpace()) {
      return false;
    }
    if (held.first() == '{') {
      state = State.CALL;
    } else if (held.take(1).equals("]")) {
      state = State.TEXT;
    }
    return true;
  }

  private boolean call(List<Part> out) {
    return switch (calls.scan(held, true, out)) {
      case OPEN -> false;
      case ENDED -> {
        state = State.LIST;
        yield true;
      }
      case NO_CALL -> {
        CallReader.abandon(OPEN, calls, out);
        state = State.TEXT;
        yield true;
      }
    };
  }

  private boolean name(List<Part> out) {
    int mark = held.indexOf(ARGUMENTS);
    int brace = held.indexOf("{");
    int end = mark < 0 || brace >= 0 && brace < mark ? brace : mark;
    if (end < 0) {
      return false;
    }
    String name = held.take(end);
    held.take(ARGUMENTS);
    int id = name.indexOf(ID);
    calls.begin((id < 0 ? name : name.substring(0, id)).strip(), out);
    span = new JsonSpan();
    state = State.VALUE;
    return true;
  }

  private boolean value(List<Part> out) {
    StringBuilder text = new StringBuilder();
    boolean ended = false;
    while (!held.isEmpty() && !ended) {
      String c = held.take(1);
      ended = span.accept(c.charAt(0));
      text.append(c);
    }
    calls.arguments(text.toString(), out);
    if (ended) {
      calls.end();
      state = State.TEXT;
    }
    return ended;
  }

  @Override
  public void finish(List<Part> out) {
    String rest = held.takeAll();
    switch (state) {
      case TEXT -> CallReader.finish(rest, calls, out);
      case START, NAME -> CallReader.content(OPEN + rest, out);
      case CALL, VALUE -> CallReader.abandon(OPEN, calls, out);
      case LIST -> {}
    }
  }

  @Override
  public int count() {
    return calls.count();
  }
}
