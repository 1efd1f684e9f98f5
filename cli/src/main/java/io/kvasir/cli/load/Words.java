package io.kvasir.cli.load;

/// Text for servers or routes that take no token ids: one common word, about one token, for each.
final class Words {
  private static final String[] WORDS =
      ("the of and to in a is that for it was on are as with his they at be this from have or by one"
              + " had not but what all were when we there can an your which their said if do will each"
              + " about how up out them then she many some so these would other into has more her two"
              + " like him see time could no make than first been its who now people my made over did"
              + " down only way find use may water long little very after words called just where most"
              + " know")
          .split(" ");

  private Words() {}

  static String of(int[] tokens) {
    StringBuilder text = new StringBuilder(6 * tokens.length);
    for (int token : tokens) {
      text.append(text.isEmpty() ? "" : " ").append(WORDS[token % WORDS.length]);
    }
    return text.toString();
  }
}
