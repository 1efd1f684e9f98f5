package io.kvasir.engine.grammar;

/// Rules of JSON strings.
final class StringRules {
  private StringRules() {}

  /// The strings of a language, each spelled in one way.
  static int of(AutomatonBuilder builder, CharDfa dfa) {
    int rule = builder.rule(Counting.NONE);
    int open = builder.state(rule);
    int end = builder.end(rule);
    builder.edge(builder.start(rule), '"', open);
    int[] states = ByteLowering.lower(builder, rule, open, dfa, ByteLowering.Spelling.JSON);
    for (int s = 0; s < states.length; s++) {
      if (dfa.label(s) != CharDfa.NO_LABEL) {
        builder.edge(states[s], '"', end);
      }
    }
    return rule;
  }

  /// All strings of `min` to `max` characters, with all escapes that JSON has; half a surrogate
  /// pair cannot be written in any way. The character is counted by its first byte.
  static int anyOfLength(AutomatonBuilder builder, long min, long max) {
    Repetition length = new Repetition(min, max, -1);
    int rule = builder.rule(length);
    int one = builder.guard(length.one());
    int text = builder.state(rule);
    int end = builder.end(rule);
    builder.edge(builder.start(rule), '"', text);
    builder.edge(text, '"', '"', end, builder.guard(length.enough()));
    builder.edge(text, 0x20, 0x21, text, one);
    builder.edge(text, 0x23, 0x5B, text, one);
    builder.edge(text, 0x5D, 0x7F, text, one);
    multibyte(builder, rule, text, one);
    escapes(builder, rule, text, one);
    return rule;
  }

  private static void multibyte(AutomatonBuilder builder, int rule, int text, int one) {
    int last1 = builder.state(rule);
    int last2 = builder.state(rule);
    int last3 = builder.state(rule);
    builder.edge(last1, 0x80, 0xBF, text, 0);
    builder.edge(last2, 0x80, 0xBF, last1, 0);
    builder.edge(last3, 0x80, 0xBF, last2, 0);
    builder.edge(text, 0xC2, 0xDF, last1, one);
    builder.edge(text, 0xE1, 0xEC, last2, one);
    builder.edge(text, 0xEE, 0xEF, last2, one);
    builder.edge(text, 0xF1, 0xF3, last3, one);
    // Not: longer forms than needed, surrogates, beyond U+10FFFF.
    narrow(builder, rule, text, 0xE0, 0xA0, 0xBF, last1, one);
    narrow(builder, rule, text, 0xED, 0x80, 0x9F, last1, one);
    narrow(builder, rule, text, 0xF0, 0x90, 0xBF, last2, one);
    narrow(builder, rule, text, 0xF4, 0x80, 0x8F, last2, one);
  }

  private static void narrow(
      AutomatonBuilder builder, int rule, int text, int lead, int low, int high, int to, int one) {
    int state = builder.state(rule);
    builder.edge(text, lead, lead, state, one);
    builder.edge(state, low, high, to, 0);
  }

  private static void escapes(AutomatonBuilder builder, int rule, int text, int one) {
    int escape = builder.state(rule);
    builder.edge(text, '\\', '\\', escape, one);
    for (char c : "\"\\/bfnrt".toCharArray()) {
      builder.edge(escape, c, text);
    }
    int hex1 = hex(builder, rule, text);
    int hex2 = hex(builder, rule, hex1);
    int hex3 = hex(builder, rule, hex2);
    int code = builder.state(rule);
    builder.edge(escape, 'u', code);
    for (int[] range : new int[][] {{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}) {
      builder.edge(code, range[0], range[1], hex3, 0);
    }
    int d = builder.state(rule);
    builder.edge(code, 'd', d);
    builder.edge(code, 'D', d);
    builder.edge(d, '0', '7', hex2, 0);
    // The first half of a pair, then the second.
    int low1 = hex(builder, rule, text);
    int low2 = hex(builder, rule, low1);
    int lowC = builder.state(rule);
    builder.edge(lowC, 'c', 'f', low2, 0);
    builder.edge(lowC, 'C', 'F', low2, 0);
    int lowD = builder.state(rule);
    builder.edge(lowD, 'd', lowC);
    builder.edge(lowD, 'D', lowC);
    int lowU = builder.state(rule);
    builder.edge(lowU, 'u', lowD);
    int lowStart = builder.state(rule);
    builder.edge(lowStart, '\\', lowU);
    int high1 = hex(builder, rule, lowStart);
    int high2 = hex(builder, rule, high1);
    builder.edge(d, '8', '9', high2, 0);
    builder.edge(d, 'a', 'b', high2, 0);
    builder.edge(d, 'A', 'B', high2, 0);
  }

  /// A state that reads one hexadecimal digit and goes on to `to`.
  private static int hex(AutomatonBuilder builder, int rule, int to) {
    int state = builder.state(rule);
    builder.edge(state, '0', '9', to, 0);
    builder.edge(state, 'a', 'f', to, 0);
    builder.edge(state, 'A', 'F', to, 0);
    return state;
  }
}
