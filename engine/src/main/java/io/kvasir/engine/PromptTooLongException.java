package io.kvasir.engine;

/// A prompt that fills the whole context, so that no answer fits.
public final class PromptTooLongException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  PromptTooLongException(int promptTokens, int contextTokens) {
    super(
        "the prompt has %d tokens but the maximum context length is %d; shorten the prompt or allow a longer context"
            .formatted(promptTokens, contextTokens));
  }
}
