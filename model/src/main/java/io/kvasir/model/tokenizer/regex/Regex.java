package io.kvasir.model.tokenizer.regex;

import java.util.ArrayList;
import java.util.List;

/// A compiled pattern of a pre-tokenizer, normalizer or decoder.
///
/// The dialect is Oniguruma's Ruby syntax over Unicode (see [RegexParser]), without
/// back-references. The search takes time linear in the text and no stack, so text may be hostile.
/// Immutable.
public final class Regex {
  private final String pattern;
  private final RegexProgram program;

  private Regex(String pattern, RegexNode node) {
    this.pattern = pattern;
    this.program = RegexProgram.compile(node);
  }

  /// Compiles `pattern`.
  ///
  /// @throws RegexSyntaxException where it is malformed or not supported
  public static Regex compile(String pattern) {
    return new Regex(pattern, new RegexParser(pattern).parse());
  }

  /// The pattern that matches exactly the text `literal`.
  public static Regex literal(String literal) {
    List<RegexNode> items = new ArrayList<>();
    literal.codePoints().forEach(c -> items.add(new RegexNode.One(CodePointSet.of(c))));
    return new Regex(literal, new RegexNode.Sequence(items));
  }

  /// The bounds of all matches in `text`, one after the other: start, end, start, end ... Matches
  /// do not overlap; an empty match is reported unless it stands directly behind another match.
  public int[] find(String text) {
    return matcher(text).findAll();
  }

  /// `text` with every match replaced by `replacement`, taken literally.
  public String replaceAll(String text, String replacement) {
    int[] bounds = find(text);
    if (bounds.length == 0) {
      return text;
    }
    StringBuilder out = new StringBuilder(text.length());
    int from = 0;
    for (int i = 0; i < bounds.length; i += 2) {
      out.append(text, from, bounds[i]).append(replacement);
      from = bounds[i + 1];
    }
    return out.append(text, from, text.length()).toString();
  }

  RegexMatcher matcher(String text) {
    return new RegexMatcher(program, text);
  }

  @Override
  public String toString() {
    return pattern;
  }
}
