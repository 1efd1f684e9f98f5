package io.kvasir.model.tokenizer;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// Tokens that are recognised in the text before any other step, the longest of those that begin
/// leftmost.
final class AddedTokens {

  /// One such token.
  ///
  /// @param content how it is written in a text
  /// @param special whether it is recognised only where special tokens are asked for
  /// @param normalized whether it is looked for in the normalized text
  /// @param singleWord whether letters and digits may not stand directly beside it
  /// @param stripsLeft whether it takes the white space before it
  /// @param stripsRight whether it takes the white space behind it
  record Token(
      int id,
      String content,
      boolean special,
      boolean normalized,
      boolean singleWord,
      boolean stripsLeft,
      boolean stripsRight) {

    /// A token without further conditions.
    static Token plain(int id, String content, boolean special) {
      return new Token(id, content, special, false, false, false, false);
    }
  }

  /// Takes the parts of a text in order.
  interface Sink {
    /// Text between tokens; never empty.
    void text(String part, boolean first);

    /// A recognised token.
    void token(int id);
  }

  private final Token[] tokens;
  private final PrefixIndex index;

  /// The tokens that are recognised in the same kind of text, with `spellings` as they look there.
  AddedTokens(List<Token> tokens, List<String> spellings) {
    this.tokens = tokens.toArray(Token[]::new);
    int[] numbers = new int[this.tokens.length];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = i;
    }
    this.index = new PrefixIndex(spellings.toArray(String[]::new), numbers);
  }

  /// Cuts `text` at the tokens in it.
  ///
  /// @param special whether special tokens are recognised
  /// @param first whether `text` is the beginning of the whole
  void split(String text, boolean special, boolean first, Sink sink) {
    if (index.isEmpty()) {
      if (!text.isEmpty()) {
        sink.text(text, first);
      }
      return;
    }
    PrefixIndex.Walk walk = index.walk();
    int done = 0;
    for (int at = 0; at < text.length(); ) {
      Token token = null;
      int end = at;
      walk.reset();
      for (int i = at; i < text.length() && walk.step(text.charAt(i)); ) {
        i++;
        Token candidate = at(walk.value());
        if (candidate != null && (special || !candidate.special)) {
          token = candidate;
          end = i;
        }
      }
      if (token == null) {
        at++;
        continue;
      }
      if (!token.singleWord || isAlone(text, at, end)) {
        int from = token.stripsLeft ? spaceBefore(text, at, done) : Math.max(at, done);
        int to = token.stripsRight ? spaceBehind(text, end) : end;
        if (from > done) {
          sink.text(text.substring(done, from), first && done == 0);
        }
        sink.token(token.id);
        done = to;
      }
      at = end;
    }
    if (done < text.length()) {
      sink.text(text.substring(done), first && done == 0);
    }
  }

  private @Nullable Token at(int number) {
    return number < 0 ? null : tokens[number];
  }

  private static boolean isAlone(String text, int from, int to) {
    boolean before = from > 0 && CharacterKind.isWord(text.codePointBefore(from));
    boolean behind = to < text.length() && CharacterKind.isWord(text.codePointAt(to));
    return !before && !behind;
  }

  private static int spaceBefore(String text, int at, int least) {
    int from = Math.max(at, least);
    while (from > least && CharacterKind.isSpace(text.charAt(from - 1))) {
      from--;
    }
    return from;
  }

  private static int spaceBehind(String text, int at) {
    int to = at;
    while (to < text.length() && CharacterKind.isSpace(text.charAt(to))) {
      to++;
    }
    return to;
  }
}
