package io.kvasir.server.reply;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads one call, `{"name": "...", "arguments": {...}}`, character by character. `parameters`
/// means the same as `arguments`; `id` and `type` are skipped; any other key is no call.
///
/// Arguments that are an object are handed on as they come once the name is known.
final class CallScanner {
  private static final Set<String> SKIPPED = Set.of("id", "type");
  private static final Set<String> ARGUMENTS = Set.of("arguments", "parameters");

  private enum State {
    OBJECT,
    KEY,
    COLON,
    VALUE,
    NEXT,
    DONE,
    FAILED
  }

  private State state = State.OBJECT;
  private JsonSpan span = new JsonSpan();
  private final StringBuilder raw = new StringBuilder();
  private final StringBuilder value = new StringBuilder();
  private final StringBuilder arguments = new StringBuilder();
  private String key = "";
  private @Nullable String name;
  private boolean streaming;
  private boolean argued;

  /// Takes one character.
  void accept(char c) {
    raw.append(c);
    switch (state) {
      case OBJECT -> step(c, '{', State.KEY);
      case KEY -> key(c);
      case COLON -> step(c, ':', State.VALUE);
      case VALUE -> value(c);
      case NEXT -> next(c);
      case DONE, FAILED -> throw new IllegalStateException("the call has ended");
    }
  }

  private void step(char c, char wanted, State then) {
    if (c == wanted) {
      state = then;
    } else if (!Character.isWhitespace(c)) {
      state = State.FAILED;
    }
  }

  private void key(char c) {
    if (value.isEmpty() && Character.isWhitespace(c)) {
      return;
    }
    if (value.isEmpty() && c == '}' && name != null) {
      end();
      return;
    }
    if (value.isEmpty() && c != '"') {
      state = State.FAILED;
      return;
    }
    if (span.accept(c)) {
      value.append(c);
      key = String.valueOf(string());
      state = isExpected(key) ? State.COLON : State.FAILED;
      restart();
    } else {
      value.append(c);
    }
  }

  private boolean isExpected(String text) {
    return text.equals("name") && name == null
        || ARGUMENTS.contains(text) && !argued
        || SKIPPED.contains(text);
  }

  private void value(char c) {
    if (value.isEmpty() && !streaming && Character.isWhitespace(c)) {
      return;
    }
    boolean first = value.isEmpty() && !streaming;
    if (span.isScalar() && (c == ',' || c == '}')) {
      valueEnded();
      next(c);
      return;
    }
    if (first && (c == ',' || c == '}' || c == ']')) {
      state = State.FAILED;
      return;
    }
    boolean ended = span.accept(c);
    if (first && c == '{' && name != null && ARGUMENTS.contains(key)) {
      streaming = true;
    }
    (streaming ? arguments : value).append(c);
    if (ended) {
      valueEnded();
    }
  }

  private void valueEnded() {
    if (state == State.FAILED) {
      return;
    }
    state = State.NEXT;
    if (key.equals("name")) {
      name = string();
      if (name == null || name.isEmpty()) {
        state = State.FAILED;
      }
    } else if (ARGUMENTS.contains(key)) {
      argued = true;
      if (!streaming) {
        String text = value.toString().strip();
        String inner = text.startsWith("\"") ? string() : null;
        arguments.append(text.equals("null") ? "{}" : inner == null ? text : inner);
      }
    }
    streaming = false;
    restart();
  }

  private void restart() {
    value.setLength(0);
    span = new JsonSpan();
  }

  private void next(char c) {
    if (state == State.FAILED || Character.isWhitespace(c)) {
      return;
    }
    if (c == ',') {
      state = State.KEY;
    } else if (c == '}' && name != null) {
      end();
    } else {
      state = State.FAILED;
    }
  }

  private void end() {
    if (!argued) {
      arguments.append("{}");
    }
    state = State.DONE;
  }

  /// The value so far as a string, null where it is none.
  private @Nullable String string() {
    try {
      return Json.parse(value.toString().strip()) instanceof Json.Str(String text) ? text : null;
    } catch (JsonException e) {
      return null;
    }
  }

  /// The called tool, null until it is known.
  @Nullable String name() {
    return name;
  }

  /// Takes the arguments that came since the last time.
  String takeArguments() {
    String result = arguments.toString();
    arguments.setLength(0);
    return result;
  }

  boolean isDone() {
    return state == State.DONE;
  }

  boolean hasFailed() {
    return state == State.FAILED;
  }

  /// All that was accepted.
  String raw() {
    return raw.toString();
  }
}
