package io.kvasir.cli.eval;

import java.util.Locale;
import java.util.regex.Pattern;

/// Something stated once in a long text and asked for later.
///
/// @param kind `number` or `word`
/// @param name whose it is
/// @param value what is to be recalled
/// @param depth where it stands in the text, 0 for the beginning and 1 for the end
public record Fact(String kind, String name, String value, double depth) {

  String statement() {
    return "Remember: the secret " + kind + " of " + name + " is " + value + ".";
  }

  String question() {
    return "What is the secret " + kind + " of " + name + "?";
  }

  /// How an answer begins.
  String opening() {
    return "The secret " + kind + " of " + name + " is";
  }

  /// Whether the value stands in the answer, not as a part of a longer word or number.
  boolean isIn(String answer) {
    Pattern whole =
        Pattern.compile("(?<![\\p{L}\\p{N}])" + Pattern.quote(value) + "(?![\\p{L}\\p{N}])");
    return whole.matcher(answer.toLowerCase(Locale.ROOT)).find();
  }
}
