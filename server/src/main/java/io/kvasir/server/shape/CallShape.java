package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.model.tokenizer.Tokenizer;
import org.jspecify.annotations.Nullable;

/// Tool calls whose arguments satisfy their schemas. Where none is forced, the answer is any text,
/// or content of a shape, and a call begins where the model writes the mark.
///
/// @param call what stands between the marks
/// @param content what the answer must be where it calls nothing; null for any text
record CallShape(CallForm form, Shape call, @Nullable Shape content, Tokenizer tokenizer)
    implements Shape {

  @Override
  public TokenConstraint.Factory within(int maxTokens) {
    return () -> new CallConstraint(this, maxTokens);
  }

  @Override
  public long enough() {
    return form.opening().length() + call.enough();
  }

  /// The tokens of a text, its marks as special tokens where the vocabulary has them.
  int[] tokens(String text) {
    return text.isEmpty() ? new int[0] : tokenizer.encode(text, true);
  }
}
