package io.kvasir.server.shape;

/// The marks around tool calls, and when calls come.
///
/// @param opening text before a call
/// @param gap the end of `opening`, behind the mark by which a model begins a call of its own
///   accord
/// @param closing text behind a call, which may also be left out at the answer's end
/// @param between text between `closing` and the next call
/// @param forced whether the answer must call
/// @param several whether it may call more than once
public record CallForm(
    String opening, String gap, String closing, String between, boolean forced, boolean several) {

  /// What begins a call of the model's own accord.
  String mark() {
    return opening.substring(0, opening.length() - gap.length());
  }
}
