package io.kvasir.engine;

import io.kvasir.model.tokenizer.Detokenizer;
import java.util.List;

/// An answer as text: detokenized piece by piece, cut before the first stop string.
///
/// Text that may turn out to be the beginning of a stop string is held back until it is clear. Used
/// by one thread, like the [TokenStream] under it.
public final class TextStream {
  private final TokenStream tokens;
  private final Detokenizer detokenizer;
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private String text = "";
  private boolean stopped;
  private boolean ended;

  /// @param stops strings that end the answer, each at least one character
  public TextStream(TokenStream tokens, Detokenizer detokenizer, List<String> stops) {
    for (String stop : stops) {
      if (stop.isEmpty()) {
        throw new IllegalArgumentException("a stop string must not be empty");
      }
    }
    this.tokens = tokens;
    this.detokenizer = detokenizer;
    this.stops = List.copyOf(stops);
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
    if (tokens.advance()) {
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
    for (String stop : stops) {
      int at = held.indexOf(stop);
      cut = at >= 0 && (cut < 0 || at < cut) ? at : cut;
    }
    if (cut >= 0) {
      stopped = true;
      String result = held.substring(0, cut);
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
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
        if (stop.startsWith(held.substring(held.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }
}
