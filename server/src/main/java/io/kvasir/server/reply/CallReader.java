package io.kvasir.server.reply;

import java.util.List;

/// Finds the tool calls in content.
sealed interface CallReader permits HermesCalls, LlamaCalls, MistralCalls, NoCalls {

  /// Takes more content and writes the parts that are clear by now.
  void append(String text, List<Part> out);

  /// Writes what was held back.
  void finish(List<Part> out);

  /// How many calls have ended.
  int count();

  static CallReader of(ToolSyntax syntax, Calls calls) {
    return switch (syntax) {
      case HERMES -> new HermesCalls(calls);
      case LLAMA -> new LlamaCalls(calls);
      case MISTRAL -> new MistralCalls(calls);
    };
  }

  /// Writes content up to `open` and takes the mark. @return whether it was there
  static boolean passTo(String open, Held held, List<Part> out) {
    int at = held.indexOf(open);
    if (at < 0) {
      content(held.takeBefore(open), out);
      return false;
    }
    content(held.take(at).stripTrailing(), out);
    held.take(open);
    return true;
  }

  /// Writes what came after `open` and is no call after all.
  static void abandon(String open, Calls calls, List<Part> out) {
    String raw = calls.abandon();
    content(raw.isEmpty() ? "" : open + raw, out);
  }

  /// Writes the end of the content, unless it is but space behind calls.
  static void finish(String rest, Calls calls, List<Part> out) {
    content(calls.count() > 0 && rest.isBlank() ? "" : rest, out);
  }

  static void content(String text, List<Part> out) {
    if (!text.isEmpty()) {
      out.add(new Part.Content(text));
    }
  }
}
