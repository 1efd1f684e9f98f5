package io.kvasir.engine;

/// Why an answer ended.
public enum FinishReason {
  /// A stop token or the end of the text.
  STOP,
  /// The wanted number of tokens, or the end of the context.
  LENGTH,
  /// The caller cancelled.
  CANCELLED,
  /// It waited longer for its start than its [Terms] allow.
  EXPIRED,
  /// The step failed; see [Outcome#error].
  ERROR
}
