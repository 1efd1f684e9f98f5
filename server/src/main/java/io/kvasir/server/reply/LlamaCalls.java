package io.kvasir.server.reply;

import java.util.List;

/// Calls that are the whole answer: objects one after the other, maybe with `;` or `,` between and
/// `<|python_tag|>` before. An answer that begins in another way, or whose first object names no
/// known tool, is content.
final class LlamaCalls implements CallReader {
  private static final String TAG = "<|python_tag|>";

  private enum State {
    START,
    CALL,
    BETWEEN,
    TEXT
  }

  private final Calls calls;
  private final Held held = new Held();
  private final StringBuilder skipped = new StringBuilder();
  private State state = State.START;

  LlamaCalls(Calls calls) {
    this.calls = calls;
  }

  @Override
  public void append(String text, List<Part> out) {
    held.add(text);
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case START -> start();
            case CALL -> call(out);
            case BETWEEN -> between();
            case TEXT -> {
              CallReader.content(held.takeAll(), out);
              yield false;
            }
          };
    }
  }

  private boolean start() {
    while (!held.isEmpty() && Character.isWhitespace(held.first())) {
      skipped.append(held.take(1));
    }
    if (held.isEmpty() || held.mayStartWith(TAG)) {
      return false;
    }
    if (held.take(TAG)) {
      return true;
    }
    state = held.first() == '{' ? State.CALL : State.TEXT;
    if (state == State.TEXT) {
      held.putBack(takeSkipped());
    }
    return true;
  }

  private String takeSkipped() {
    String space = skipped.toString();
    skipped.setLength(0);
    return space;
  }

  private boolean call(List<Part> out) {
    return switch (calls.scan(held, false, out)) {
      case OPEN -> false;
      case ENDED -> {
        state = State.BETWEEN;
        yield true;
      }
      case NO_CALL -> {
        held.putBack(takeSkipped() + calls.abandon());
        state = State.TEXT;
        yield true;
      }
    };
  }

  private boolean between() {
    if (!held.skipSpace()) {
      return false;
    }
    if (held.first() == ';' || held.first() == ',') {
      held.take(1);
      return true;
    }
    state = held.first() == '{' ? State.CALL : State.TEXT;
    return true;
  }

  @Override
  public void finish(List<Part> out) {
    String raw = calls.abandon();
    CallReader.content(raw.isEmpty() ? "" : takeSkipped() + raw, out);
    CallReader.content(calls.count() > 0 ? "" : takeSkipped() + held.takeAll(), out);
  }

  @Override
  public int count() {
    return calls.count();
  }
}
