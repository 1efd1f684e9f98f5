package io.kvasir.engine;

/// Why an answer ended.
public enum FinishReason {
  /// A stop token or the end of the text.
  STOP,
  /// The wanted number of tokens, or the end of the context.
  LENGTH,
  /// The caller cancelled.
  CANCELLED,
  /// The step failed; see [Outcome#error].
  ERROR
}
