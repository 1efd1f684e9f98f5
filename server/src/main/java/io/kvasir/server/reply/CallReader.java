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

  static void content(String text, List<Part> out) {
    if (!text.isEmpty()) {
      out.add(new Part.Content(text));
    }
  }
}
