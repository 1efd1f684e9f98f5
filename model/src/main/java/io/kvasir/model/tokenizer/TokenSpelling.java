package io.kvasir.model.tokenizer;

import io.kvasir.model.tokenizer.regex.Regex;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// What each token adds to the text, as bytes: the way back from the spelling of the vocabulary.
///
/// @param steps applied to each token's spelling in order
/// @param stripped the leading text that is dropped from the whole, character by character, up to
///   `stripLimit` characters
/// @param stripLimit how many characters `stripped` may take
record TokenSpelling(List<Step> steps, String stripped, int stripLimit) {
  private static final byte[] NOTHING = {};

  /// One rewriting of a token's spelling. The kinds are the decoders of Hugging Face's
  /// `tokenizers`.
  sealed interface Step {}

  /// Matches of a pattern become `content`.
  record Replace(Regex pattern, String content) implements Step {}

  /// Every occurrence of `from`, which is not empty, becomes `to`.
  record Substitute(String from, String to) implements Step {}

  /// The replacement stands for a space; in the first token it may stand for nothing.
  record Spaces(String replacement, boolean dropFirst) implements Step {}

  /// `<0xXX>` is one byte.
  record Bytes() implements Step {}

  /// The spelling is in the byte alphabet.
  record Alphabet() implements Step {}

  /// Up to `start` times `content` goes at the front of each token and up to `end` times at its
  /// end.
  record Strip(String content, int start, int end) implements Step {}

  /// A token with the prefix continues a word, all others but the first begin one.
  ///
  /// @param tidy whether spaces before punctuation and within English contractions go
  record Words(String prefix, boolean tidy) implements Step {}

  /// The suffix ends a word: a space, unless nothing follows.
  record WordEnds(String suffix) implements Step {}

  static TokenSpelling of(List<Step> steps) {
    return new TokenSpelling(steps, "", 0);
  }

  /// The bytes that a token written `spelling` stands for.
  ///
  /// @param first whether it is the first token of the text
  byte[] bytes(String spelling, boolean first) {
    String text = spelling;
    for (Step step : steps) {
      switch (step) {
        case Replace(Regex pattern, String content) -> text = pattern.replaceAll(text, content);
        case Substitute(String from, String to) -> text = text.replace(from, to);
        case Spaces(String replacement, boolean dropFirst) ->
            text = text.replace(replacement, first && dropFirst ? "" : " ");
        case Bytes b -> {
          int value = Vocabulary.byteOf(text);
          if (value >= 0) {
            return new byte[] {(byte) value};
          }
        }
        case Alphabet a -> {
          byte[] bytes = ByteAlphabet.bytes(text);
          if (bytes != null) {
            return bytes;
          }
        }
        case Strip strip -> text = stripped(text, strip);
        case Words(String prefix, boolean tidy) -> {
          boolean continues = !first && text.startsWith(prefix);
          text = continues ? text.substring(prefix.length()) : first ? text : " " + text;
          text = tidy ? tidied(text) : text;
        }
        case WordEnds(String suffix) -> text = text.replace(suffix, "");
      }
    }
    return text.isEmpty() ? NOTHING : text.getBytes(StandardCharsets.UTF_8);
  }

  /// What a token written `spelling` adds once another token follows it.
  byte[] bytesBeforeNext(String spelling) {
    for (Step step : steps) {
      if (step instanceof WordEnds(String suffix) && spelling.endsWith(suffix)) {
        return new byte[] {' '};
      }
    }
    return NOTHING;
  }

  private static String stripped(String text, Strip strip) {
    String content = strip.content;
    int from = 0;
    int to = text.length();
    for (int i = 0; i < strip.start && text.startsWith(content, from); i++) {
      from += content.length();
    }
    for (int i = 0;
        i < strip.end && to - content.length() >= from && text.substring(0, to).endsWith(content);
        i++) {
      to -= content.length();
    }
    return text.substring(from, to);
  }

  private static String tidied(String text) {
    return text.replace(" .", ".")
        .replace(" ?", "?")
        .replace(" !", "!")
        .replace(" ,", ",")
        .replace(" ' ", "'")
        .replace(" n't", "n't")
        .replace(" 'm", "'m")
        .replace(" do not", " don't")
        .replace(" 's", "'s")
        .replace(" 've", "'ve")
        .replace(" 're", "'re");
  }
}
