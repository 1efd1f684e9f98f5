package io.kvasir.model.tokenizer;

import io.kvasir.model.tokenizer.regex.Regex;
import java.util.List;

/// Rewrites text before it is cut. The kinds are those of Hugging Face's `tokenizers`.
sealed interface Normalizer permits Normalizer.Chain, Normalizer.Form, Normalizer.Rewrite {

  String apply(String text);

  /// One after the other; an empty chain changes nothing.
  record Chain(List<Normalizer> stages) implements Normalizer {
    static final Chain NONE = new Chain(List.of());

    @Override
    public String apply(String text) {
      String out = text;
      for (Normalizer stage : stages) {
        out = stage.apply(out);
      }
      return out;
    }
  }

  /// A Unicode normalization form.
  record Form(java.text.Normalizer.Form form) implements Normalizer {
    @Override
    public String apply(String text) {
      return CanonicalForm.of(text, form);
    }
  }

  /// Everything else.
  sealed interface Rewrite extends Normalizer {}

  /// Lower case, character by character without context.
  record Lowercase() implements Rewrite {
    @Override
    public String apply(String text) {
      StringBuilder out = new StringBuilder(text.length());
      for (int i = 0; i < text.length(); ) {
        int c = text.codePointAt(i);
        i += Character.charCount(c);
        if (c == 0x130) {
          out.append("i\u0307");
        } else {
          out.appendCodePoint(Character.toLowerCase(c));
        }
      }
      return out.toString();
    }
  }

  /// White space at the ends goes.
  record Strip(boolean left, boolean right) implements Rewrite {
    @Override
    public String apply(String text) {
      int from = 0;
      int to = text.length();
      while (left && from < to && CharacterKind.isSpace(text.charAt(from))) {
        from++;
      }
      while (right && to > from && CharacterKind.isSpace(text.charAt(to - 1))) {
        to--;
      }
      return text.substring(from, to);
    }
  }

  /// Combining marks go.
  record StripAccents() implements Rewrite {
    @Override
    public String apply(String text) {
      return CharacterKind.keep(text, c -> !CharacterKind.isMark(c));
    }
  }

  /// Matches of a pattern become `content`.
  record Replace(Regex pattern, String content) implements Rewrite {
    @Override
    public String apply(String text) {
      return pattern.replaceAll(text, content);
    }
  }

  /// Every occurrence of `from`, which is not empty, becomes `to`.
  record Substitute(String from, String to) implements Rewrite {
    @Override
    public String apply(String text) {
      return text.replace(from, to);
    }
  }

  /// `prefix` before and `suffix` behind text that is not empty.
  record Surround(String prefix, String suffix) implements Rewrite {
    @Override
    public String apply(String text) {
      return text.isEmpty() ? text : prefix + text + suffix;
    }
  }

  /// Spelling in the byte alphabet.
  record ByteSpelling() implements Rewrite {
    @Override
    public String apply(String text) {
      return ByteAlphabet.spell(text);
    }
  }

  /// The rules of SentencePiece's `nmt` normalizers without their mapping table.
  record Nmt() implements Rewrite {
    @Override
    public String apply(String text) {
      StringBuilder out = new StringBuilder(text.length());
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        boolean removed =
            c >= 1 && c <= 8
                || c == 0x0B
                || c >= 0x0E && c <= 0x1F
                || c == 0x7F
                || c == 0x8F
                || c == 0x9F;
        if (!removed) {
          out.append(isSpace(c) ? ' ' : c);
        }
      }
      return out.toString();
    }

    private static boolean isSpace(char c) {
      return switch (c) {
        case '\t', '\n', '\f', '\r', 0x1680, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD -> true;
        default -> c >= 0x200B && c <= 0x200F;
      };
    }
  }

  /// What BERT does to text before anything else.
  record Bert(boolean cleanText, boolean spaceChinese, boolean stripAccents, boolean lowercase)
      implements Rewrite {
    @Override
    public String apply(String text) {
      String out = text;
      if (cleanText) {
        out = clean(out);
      }
      if (spaceChinese) {
        out = spaced(out);
      }
      if (stripAccents) {
        out = CanonicalForm.of(out, java.text.Normalizer.Form.NFD);
        out = CharacterKind.keep(out, c -> Character.getType(c) != Character.NON_SPACING_MARK);
      }
      return lowercase ? new Lowercase().apply(out) : out;
    }

    private static String clean(String text) {
      String kept =
          CharacterKind.keep(text, c -> c != 0 && c != 0xFFFD && !CharacterKind.isControl(c));
      StringBuilder out = new StringBuilder(kept.length());
      for (int i = 0; i < kept.length(); i++) {
        out.append(CharacterKind.isSpace(kept.charAt(i)) ? ' ' : kept.charAt(i));
      }
      return out.toString();
    }

    private static String spaced(String text) {
      StringBuilder out = new StringBuilder(text.length());
      for (int i = 0; i < text.length(); ) {
        int c = text.codePointAt(i);
        i += Character.charCount(c);
        if (CharacterKind.isChinese(c)) {
          out.append(' ').appendCodePoint(c).append(' ');
        } else {
          out.appendCodePoint(c);
        }
      }
      return out.toString();
    }
  }

  /// SentencePiece's compiled mapping, applied to each grapheme as Hugging Face does.
  record Mapping(CharacterMap map) implements Rewrite {
    @Override
    public String apply(String text) {
      return map.applyByGrapheme(text);
    }
  }

  /// SentencePiece's own normalization: the compiled mapping by longest prefix, then its rules for
  /// spaces.
  record SentencePiece(CharacterMap map, Spaces spaces) implements Rewrite {
    @Override
    public String apply(String text) {
      return spaces.apply(map.applyByLongestPrefix(text));
    }
  }

  /// How SentencePiece treats spaces.
  ///
  /// @param symbol what a space is written as
  /// @param prefix whether a space stands before the text
  /// @param suffix whether a space stands behind the text
  /// @param merge whether runs of spaces count as one and those at the ends as none
  record Spaces(String symbol, boolean prefix, boolean suffix, boolean merge) {
    String apply(String text) {
      StringBuilder out = new StringBuilder(text.length() + 8);
      boolean begun = false;
      boolean inWord = false;
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (c == ' ') {
          inWord = false;
          if (!merge) {
            out.append(symbol);
          }
          continue;
        }
        if (!inWord) {
          inWord = true;
          if (merge || prefix && !begun) {
            out.append(symbol);
          }
          begun = true;
        }
        out.append(c);
      }
      return suffix ? out.append(symbol).toString() : out.toString();
    }
  }
}
