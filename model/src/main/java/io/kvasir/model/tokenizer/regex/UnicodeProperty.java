package io.kvasir.model.tokenizer.regex;

import java.lang.Character.UnicodeScript;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// The names that may stand in `\p{...}` and in `[:...:]`: general categories, scripts and the
/// POSIX classes over Unicode.
final class UnicodeProperty {
  private static final int LU = 1 << Character.UPPERCASE_LETTER;
  private static final int LL = 1 << Character.LOWERCASE_LETTER;
  private static final int LT = 1 << Character.TITLECASE_LETTER;
  private static final int LM = 1 << Character.MODIFIER_LETTER;
  private static final int LO = 1 << Character.OTHER_LETTER;
  private static final int L = LU | LL | LT | LM | LO;
  private static final int MN = 1 << Character.NON_SPACING_MARK;
  private static final int MC = 1 << Character.COMBINING_SPACING_MARK;
  private static final int ME = 1 << Character.ENCLOSING_MARK;
  private static final int M = MN | MC | ME;
  private static final int ND = 1 << Character.DECIMAL_DIGIT_NUMBER;
  private static final int NL = 1 << Character.LETTER_NUMBER;
  private static final int NO = 1 << Character.OTHER_NUMBER;
  private static final int PC = 1 << Character.CONNECTOR_PUNCTUATION;
  private static final int P =
      PC
          | 1 << Character.DASH_PUNCTUATION
          | 1 << Character.START_PUNCTUATION
          | 1 << Character.END_PUNCTUATION
          | 1 << Character.INITIAL_QUOTE_PUNCTUATION
          | 1 << Character.FINAL_QUOTE_PUNCTUATION
          | 1 << Character.OTHER_PUNCTUATION;
  private static final int S =
      1 << Character.MATH_SYMBOL
          | 1 << Character.CURRENCY_SYMBOL
          | 1 << Character.MODIFIER_SYMBOL
          | 1 << Character.OTHER_SYMBOL;
  private static final int Z =
      1 << Character.SPACE_SEPARATOR
          | 1 << Character.LINE_SEPARATOR
          | 1 << Character.PARAGRAPH_SEPARATOR;
  private static final int C =
      1 << Character.CONTROL
          | 1 << Character.FORMAT
          | 1 << Character.SURROGATE
          | 1 << Character.PRIVATE_USE
          | 1 << Character.UNASSIGNED;

  /// Category masks by name in lower case without separators.
  private static final Map<String, Integer> CATEGORIES =
      Map.ofEntries(
          Map.entry("l", L),
          Map.entry("letter", L),
          Map.entry("l&", LU | LL | LT),
          Map.entry("lc", LU | LL | LT),
          Map.entry("casedletter", LU | LL | LT),
          Map.entry("lu", LU),
          Map.entry("uppercaseletter", LU),
          Map.entry("ll", LL),
          Map.entry("lowercaseletter", LL),
          Map.entry("lt", LT),
          Map.entry("titlecaseletter", LT),
          Map.entry("lm", LM),
          Map.entry("modifierletter", LM),
          Map.entry("lo", LO),
          Map.entry("otherletter", LO),
          Map.entry("m", M),
          Map.entry("mark", M),
          Map.entry("mn", MN),
          Map.entry("nonspacingmark", MN),
          Map.entry("mc", MC),
          Map.entry("spacingmark", MC),
          Map.entry("me", ME),
          Map.entry("enclosingmark", ME),
          Map.entry("n", ND | NL | NO),
          Map.entry("number", ND | NL | NO),
          Map.entry("nd", ND),
          Map.entry("decimalnumber", ND),
          Map.entry("digit", ND),
          Map.entry("nl", NL),
          Map.entry("letternumber", NL),
          Map.entry("no", NO),
          Map.entry("othernumber", NO),
          Map.entry("p", P),
          Map.entry("punctuation", P),
          Map.entry("punct", P),
          Map.entry("pc", PC),
          Map.entry("connectorpunctuation", PC),
          Map.entry("pd", 1 << Character.DASH_PUNCTUATION),
          Map.entry("dashpunctuation", 1 << Character.DASH_PUNCTUATION),
          Map.entry("ps", 1 << Character.START_PUNCTUATION),
          Map.entry("openpunctuation", 1 << Character.START_PUNCTUATION),
          Map.entry("pe", 1 << Character.END_PUNCTUATION),
          Map.entry("closepunctuation", 1 << Character.END_PUNCTUATION),
          Map.entry("pi", 1 << Character.INITIAL_QUOTE_PUNCTUATION),
          Map.entry("initialpunctuation", 1 << Character.INITIAL_QUOTE_PUNCTUATION),
          Map.entry("pf", 1 << Character.FINAL_QUOTE_PUNCTUATION),
          Map.entry("finalpunctuation", 1 << Character.FINAL_QUOTE_PUNCTUATION),
          Map.entry("po", 1 << Character.OTHER_PUNCTUATION),
          Map.entry("otherpunctuation", 1 << Character.OTHER_PUNCTUATION),
          Map.entry("s", S),
          Map.entry("symbol", S),
          Map.entry("sm", 1 << Character.MATH_SYMBOL),
          Map.entry("mathsymbol", 1 << Character.MATH_SYMBOL),
          Map.entry("sc", 1 << Character.CURRENCY_SYMBOL),
          Map.entry("currencysymbol", 1 << Character.CURRENCY_SYMBOL),
          Map.entry("sk", 1 << Character.MODIFIER_SYMBOL),
          Map.entry("modifiersymbol", 1 << Character.MODIFIER_SYMBOL),
          Map.entry("so", 1 << Character.OTHER_SYMBOL),
          Map.entry("othersymbol", 1 << Character.OTHER_SYMBOL),
          Map.entry("z", Z),
          Map.entry("separator", Z),
          Map.entry("zs", 1 << Character.SPACE_SEPARATOR),
          Map.entry("spaceseparator", 1 << Character.SPACE_SEPARATOR),
          Map.entry("zl", 1 << Character.LINE_SEPARATOR),
          Map.entry("lineseparator", 1 << Character.LINE_SEPARATOR),
          Map.entry("zp", 1 << Character.PARAGRAPH_SEPARATOR),
          Map.entry("paragraphseparator", 1 << Character.PARAGRAPH_SEPARATOR),
          Map.entry("c", C),
          Map.entry("other", C),
          Map.entry("cc", 1 << Character.CONTROL),
          Map.entry("control", 1 << Character.CONTROL),
          Map.entry("cntrl", 1 << Character.CONTROL),
          Map.entry("cf", 1 << Character.FORMAT),
          Map.entry("format", 1 << Character.FORMAT),
          Map.entry("cs", 1 << Character.SURROGATE),
          Map.entry("surrogate", 1 << Character.SURROGATE),
          Map.entry("co", 1 << Character.PRIVATE_USE),
          Map.entry("privateuse", 1 << Character.PRIVATE_USE),
          Map.entry("cn", 1 << Character.UNASSIGNED),
          Map.entry("unassigned", 1 << Character.UNASSIGNED));

  /// The property White_Space, which `\s` means.
  static final CodePointSet SPACE = new CodePointSet(UnicodeProperty::isSpace);

  /// What `\d` means.
  static final CodePointSet DIGIT = new CodePointSet(category(ND));

  /// What `\w` means: letters, marks, decimal digits, connecting punctuation.
  static final CodePointSet WORD = new CodePointSet(category(L | M | ND | NL | PC));

  private UnicodeProperty() {}

  /// The set called `name`.
  ///
  /// @throws RegexSyntaxException where no property has that name
  static CodePointSet named(String name) {
    String key = name.toLowerCase(Locale.ROOT).replace(" ", "").replace("_", "").replace("-", "");
    int equals = key.indexOf('=');
    if (equals >= 0) {
      key = key.substring(equals + 1);
    }
    boolean negated = key.startsWith("^");
    if (negated) {
      key = key.substring(1);
    }
    IntPredicate rule = find(key, name);
    if (rule == null && key.startsWith("is")) {
      rule = find(key.substring(2), name.substring(negated ? 3 : 2));
    }
    if (rule == null) {
      throw new RegexSyntaxException("unknown character property \\p{" + name + "}");
    }
    CodePointSet set = new CodePointSet(rule);
    return negated ? set.negated() : set;
  }

  private static @Nullable IntPredicate find(String key, String name) {
    Integer mask = CATEGORIES.get(key);
    if (mask != null) {
      return category(mask);
    }
    IntPredicate rule =
        switch (key) {
          case "any" -> c -> true;
          case "assigned" -> c -> Character.getType(c) != Character.UNASSIGNED;
          case "ascii" -> c -> c < 128;
          case "alphabetic", "alpha" -> Character::isAlphabetic;
          case "alnum" -> c -> Character.isAlphabetic(c) || Character.isDigit(c);
          case "lowercase", "lower" -> Character::isLowerCase;
          case "uppercase", "upper" -> Character::isUpperCase;
          case "ideographic" -> Character::isIdeographic;
          case "whitespace", "space" -> UnicodeProperty::isSpace;
          case "blank" -> c -> c == '\t' || Character.getType(c) == Character.SPACE_SEPARATOR;
          case "word" -> WORD::contains;
          case "xdigit" -> c -> c < 128 && Character.digit(c, 16) >= 0;
          case "graph" ->
              c ->
                  !isSpace(c)
                      && (1 << Character.getType(c)
                              & (1 << Character.CONTROL
                                  | 1 << Character.UNASSIGNED
                                  | 1 << Character.SURROGATE))
                          == 0;
          case "print" ->
              c ->
                  (1 << Character.getType(c)
                          & (1 << Character.CONTROL
                              | 1 << Character.UNASSIGNED
                              | 1 << Character.SURROGATE))
                      == 0;
          case "emoji" -> Character::isEmoji;
          case "extendedpictographic" -> Character::isExtendedPictographic;
          default -> null;
        };
    return rule != null ? rule : script(name.substring(name.indexOf('=') + 1));
  }

  private static @Nullable IntPredicate script(String name) {
    String wanted = name.strip().replace("^", "").replace(' ', '_');
    try {
      UnicodeScript script = UnicodeScript.forName(wanted);
      return c -> UnicodeScript.of(c) == script;
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  static IntPredicate category(int mask) {
    return c -> (mask >>> Character.getType(c) & 1) != 0;
  }

  static boolean isSpace(int c) {
    if (c < 128) {
      return c == ' ' || c >= '\t' && c <= '\r';
    }
    return c == 0x85 || (Z >>> Character.getType(c) & 1) != 0;
  }
}
