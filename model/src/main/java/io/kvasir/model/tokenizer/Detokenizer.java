package io.kvasir.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Turns a stream of token ids into text as the tokens come.
///
/// A token may end within a character; such bytes are held back until the character is complete, or
/// until it is certain that it never will be: then U+FFFD stands for them. What all calls return,
/// joined, equals [Tokenizer#decode(int[], boolean)] of all ids. Not thread-safe.
public final class Detokenizer {
  private static final byte[] NOTHING = {};

  private final Tokenizer tokenizer;
  private final boolean skipSpecial;
  private final Utf8.Decoder decoder = new Utf8.Decoder();
  private final byte[] stripped;
  private int stripsLeft;
  private boolean first;
  private byte[] beforeNext = NOTHING;

  /// A stream that begins a text, in which special tokens appear.
  public Detokenizer(Tokenizer tokenizer) {
    this(tokenizer, false);
  }

  /// A stream that begins a text.
  ///
  /// @param skipSpecial whether special tokens are left out
  public Detokenizer(Tokenizer tokenizer, boolean skipSpecial) {
    this(tokenizer, skipSpecial, true);
  }

  private Detokenizer(Tokenizer tokenizer, boolean skipSpecial, boolean begins) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
    this.first = begins;
    this.stripped = tokenizer.spelling().stripped().getBytes(StandardCharsets.UTF_8);
    this.stripsLeft = begins && stripped.length > 0 ? tokenizer.spelling().stripLimit() : 0;
  }

  /// A stream that goes on in the middle of a text: the space that SentencePiece models put before
  /// a text's first word stays.
  ///
  /// @param skipSpecial whether special tokens are left out
  public static Detokenizer continuing(Tokenizer tokenizer, boolean skipSpecial) {
    return new Detokenizer(tokenizer, skipSpecial, false);
  }

  /// Takes one more token and returns the text that it completes, often empty.
  public String append(int id) {
    StringBuilder out = new StringBuilder();
    append(id, out);
    return out.toString();
  }

  void append(int id, StringBuilder out) {
    if (!tokenizer.has(id) || skipSpecial && tokenizer.isSpecial(id)) {
      return;
    }
    decoder.add(beforeNext, out);
    decoder.add(withoutStripped(tokenizer.bytes(id, first)), out);
    beforeNext = tokenizer.spelling().bytesBeforeNext(tokenizer.piece(id));
    first = false;
  }

  private byte[] withoutStripped(byte[] bytes) {
    int from = 0;
    while (stripsLeft > 0 && from < bytes.length) {
      int to = from + stripped.length;
      if (to > bytes.length || !Arrays.equals(bytes, from, to, stripped, 0, stripped.length)) {
        stripsLeft = 0;
      } else {
        stripsLeft--;
        from = to;
      }
    }
    return from == 0 ? bytes : Arrays.copyOfRange(bytes, from, bytes.length);
  }

  /// Ends the text: returns what was held back.
  public String finish() {
    StringBuilder out = new StringBuilder();
    decoder.finish(out);
    return out.toString();
  }
}
