package io.kvasir.engine;

import io.kvasir.model.tokenizer.Detokenizer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An answer as text: detokenized piece by piece, cut before the first stop string.
///
/// Text that may turn out to be the beginning of a stop string is held back until it is clear. Used
/// by one thread, like the [TokenStream] under it.
public final class TextStream {
  private final TokenStream tokens;
  private final Detokenizer detokenizer;
  private final List<String> stops;
  private final boolean stopIncluded;
  private final StringBuilder held = new StringBuilder();
  private String text = "";
  private boolean hasToken;
  private @Nullable String stop;
  private boolean stopped;
  private boolean ended;

  /// @param stops strings that end the answer, each at least one character
  public TextStream(TokenStream tokens, Detokenizer detokenizer, List<String> stops) {
    this(tokens, detokenizer, stops, false);
  }

  /// @param stops strings that end the answer, each at least one character
  /// @param stopIncluded whether the stop string that was found belongs to the text
  public TextStream(
      TokenStream tokens, Detokenizer detokenizer, List<String> stops, boolean stopIncluded) {
    for (String candidate : stops) {
      if (candidate.isEmpty()) {
        throw new IllegalArgumentException("a stop string must not be empty");
      }
    }
    this.tokens = tokens;
    this.detokenizer = detokenizer;
    this.stops = List.copyOf(stops);
    this.stopIncluded = stopIncluded;
  }

  /// Waits for the next piece of text, which may be empty; false when the answer has ended.
  public boolean advance() throws InterruptedException {
    if (ended) {
      return false;
    }
    if (stopped) {
      drain();
      return false;
    }
    hasToken = tokens.advance();
    if (hasToken) {
      held.append(detokenizer.append(tokens.token()));
      text = release(false);
      if (stopped) {
        tokens.cancel();
      }
      return true;
    }
    held.append(detokenizer.finish());
    text = release(true);
    ended = true;
    return !text.isEmpty();
  }

  /// The text that the last [#advance] found.
  public String text() {
    return text;
  }

  /// Whether the last [#advance] found a token, rather than text that was held back until the end.
  public boolean hasToken() {
    return hasToken;
  }

  /// The stop string that ended the answer, or null.
  public @Nullable String stop() {
    return stop;
  }

  /// Ends the answer here, as if a stop string had been found.
  public void end() {
    stopped = true;
    tokens.cancel();
  }

  /// How the answer ended; a stop string counts as [FinishReason#STOP].
  public Outcome outcome() {
    Outcome outcome = tokens.outcome();
    return stopped ? outcome.withReason(FinishReason.STOP) : outcome;
  }

  /// Ends the answer early.
  public void cancel() {
    tokens.cancel();
  }

  private void drain() throws InterruptedException {
    while (tokens.advance()) {
      // Tokens that were on their way when the stop string was found.
    }
    text = "";
    ended = true;
  }

  /// Takes from the held text what can no longer become a stop string.
  private String release(boolean all) {
    int cut = -1;
    for (String candidate : stops) {
      int at = held.indexOf(candidate);
      if (at >= 0 && (cut < 0 || at < cut)) {
        cut = at;
        stop = candidate;
      }
    }
    if (cut >= 0) {
      stopped = true;
      String result = held.substring(0, cut) + (stopIncluded ? stop : "");
      held.setLength(0);
      return result;
    }
    int keep = all ? 0 : longestStopPrefix();
    String result = held.substring(0, held.length() - keep);
    held.delete(0, held.length() - keep);
    return result;
  }

  /// Length of the longest end of the held text that begins a stop string.
  private int longestStopPrefix() {
    int longest = 0;
    for (String candidate : stops) {
      for (int n = Math.min(candidate.length() - 1, held.length()); n > longest; n--) {
        if (candidate.startsWith(held.substring(held.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }
}
