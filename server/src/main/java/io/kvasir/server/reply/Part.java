package io.kvasir.server.reply;

/// A piece of an answer. Pieces of one kind that follow each other belong together.
public sealed interface Part {

  /// Text for the user.
  record Content(String text) implements Part {}

  /// Text that the model wrote for itself.
  record Reasoning(String text) implements Part {}

  /// A tool call begins.
  ///
  /// @param index the call's number within the answer
  /// @param id what the tool's result refers to
  record CallBegun(int index, String id, String name) implements Part {}

  /// More of a call's arguments, which are JSON once they are all there.
  record CallArguments(int index, String text) implements Part {}
}
