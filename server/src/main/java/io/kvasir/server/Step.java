package io.kvasir.server;

import io.kvasir.engine.TokenScores;
import io.kvasir.server.reply.Part;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What one read of an answer brought.
///
/// @param text maybe empty
/// @param parts the same as parts, as far as they are clear by now
/// @param token -1 where text was only held back until the end
/// @param scores of the token; null where none were asked for
/// @param promptScores of the prompt's tokens from the second on; only in the first step, and where
///   they were asked for
record Step(
    String text,
    List<Part> parts,
    int token,
    @Nullable TokenScores scores,
    List<TokenScores> promptScores) {
  static final int NO_TOKEN = -1;

  Step {
    parts = List.copyOf(parts);
    promptScores = List.copyOf(promptScores);
  }

  /// Without scores.
  Step(String text, List<Part> parts, int token) {
    this(text, parts, token, null, List.of());
  }
}
