package io.kvasir.engine.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Spells an automaton over characters in bytes: UTF-8, and within a JSON string with the one
/// escape that each character needs, so that equal texts have equal bytes.
final class ByteLowering {
  /// How a character becomes bytes.
  enum Spelling {
    /// UTF-8.
    PLAIN,
    /// As within a JSON string: `"` and `\` and control characters are escaped, each in one way.
    JSON
  }

  /// A part of a character's bytes that is still to come, `lows[i]` to `highs[i]` in place `i`, and
  /// the character state behind it.
  private record Tail(List<Integer> lows, List<Integer> highs, int target) {
    Tail rest() {
      return new Tail(lows.subList(1, lows.size()), highs.subList(1, highs.size()), target);
    }
  }

  private final AutomatonBuilder builder;
  private final int rule;
  private final Spelling spelling;
  private final CharDfa dfa;
  private final int[] stateOf;
  private final Map<List<Tail>, Integer> between = new HashMap<>();

  private ByteLowering(AutomatonBuilder builder, int rule, Spelling spelling, CharDfa dfa) {
    this.builder = builder;
    this.rule = rule;
    this.spelling = spelling;
    this.dfa = dfa;
    this.stateOf = new int[dfa.states()];
  }

  /// Adds the states of `dfa` to `rule`, its start as state `start`, and returns for each the state
  /// of the rule. What labelled states mean is left to the caller.
  static int[] lower(
      AutomatonBuilder builder, int rule, int start, CharDfa dfa, Spelling spelling) {
    ByteLowering lowering = new ByteLowering(builder, rule, spelling, dfa);
    lowering.stateOf[0] = start;
    for (int s = 1; s < dfa.states(); s++) {
      lowering.stateOf[s] = builder.state(rule);
    }
    for (int s = 0; s < dfa.states(); s++) {
      lowering.state(s);
    }
    return lowering.stateOf;
  }

  private void state(int s) {
    List<Tail> tails = new ArrayList<>();
    int end = s + 1 < dfa.states() ? dfa.firstEdge(s + 1) : dfa.edges();
    for (int e = dfa.firstEdge(s); e < end; e++) {
      spell(dfa.low(e), dfa.high(e), dfa.target(e), tails);
    }
    connect(stateOf[s], tails);
  }

  private void connect(int from, List<Tail> tails) {
    TreeSet<Integer> cuts = new TreeSet<>();
    for (Tail tail : tails) {
      cuts.add(tail.lows.getFirst());
      cuts.add(tail.highs.getFirst() + 1);
    }
    builder.budget().work(1 + tails.size());
    Integer low = null;
    for (Integer cut : cuts) {
      if (low != null) {
        List<Tail> rests = new ArrayList<>();
        int done = -1;
        for (Tail tail : tails) {
          if (tail.lows.getFirst() <= low && cut - 1 <= tail.highs.getFirst()) {
            if (tail.lows.size() == 1) {
              done = tail.target;
            } else {
              rests.add(tail.rest());
            }
          }
        }
        builder.budget().work(tails.size());
        if (done >= 0) {
          builder.edge(from, low, cut - 1, stateOf[done], AutomatonBuilder.ALWAYS);
        } else if (!rests.isEmpty()) {
          builder.edge(from, low, cut - 1, between(rests), AutomatonBuilder.ALWAYS);
        }
      }
      low = cut;
    }
  }

  private int between(List<Tail> tails) {
    Integer known = between.get(tails);
    if (known != null) {
      return known;
    }
    int state = builder.state(rule);
    between.put(tails, state);
    connect(state, tails);
    return state;
  }

  private void spell(int low, int high, int target, List<Tail> out) {
    if (spelling == Spelling.PLAIN) {
      utf8(low, high, target, out);
      return;
    }
    for (int c = low; c <= Math.min(high, 0x1F); c++) {
      escaped(JsonText.escape(c), target, out);
    }
    int from = Math.max(low, 0x20);
    for (int special : new int[] {'"', '\\'}) {
      if (special >= from && special <= high) {
        escaped(JsonText.escape(special), target, out);
        utf8(from, special - 1, target, out);
        from = special + 1;
      }
    }
    utf8(from, high, target, out);
  }

  private static void escaped(String text, int target, List<Tail> out) {
    List<Integer> bytes = text.chars().boxed().toList();
    out.add(new Tail(bytes, bytes, target));
  }

  /// Splits a range of code points into sequences of ranges of bytes, after Ken Thompson's method
  /// as used in RE2.
  private void utf8(int low, int high, int target, List<Tail> out) {
    if (low > high) {
      return;
    }
    for (int last : new int[] {0x7F, 0x7FF, 0xD7FF, 0xFFFF}) {
      if (low <= last && high > last) {
        utf8(low, last, target, out);
        utf8(last == 0xD7FF ? Math.max(0xE000, last + 1) : last + 1, high, target, out);
        return;
      }
    }
    if (low >= 0xD800 && low <= 0xDFFF) {
      utf8(0xE000, high, target, out);
      return;
    }
    if (high < 0x80) {
      out.add(new Tail(List.of(low), List.of(high), target));
      return;
    }
    int length = high < 0x800 ? 2 : high < 0x10000 ? 3 : 4;
    for (int i = 1; i < length; i++) {
      int mask = (1 << 6 * i) - 1;
      if ((low & ~mask) != (high & ~mask)) {
        if ((low & mask) != 0) {
          utf8(low, low | mask, target, out);
          utf8((low | mask) + 1, high, target, out);
          return;
        }
        if ((high & mask) != mask) {
          utf8(low, (high & ~mask) - 1, target, out);
          utf8(high & ~mask, high, target, out);
          return;
        }
      }
    }
    out.add(new Tail(encode(low, length), encode(high, length), target));
  }

  private static List<Integer> encode(int c, int length) {
    Integer[] bytes = new Integer[length];
    int rest = c;
    for (int i = length - 1; i > 0; i--) {
      bytes[i] = 0x80 | rest & 0x3F;
      rest >>>= 6;
    }
    bytes[0] = (length == 2 ? 0xC0 : length == 3 ? 0xE0 : 0xF0) | rest;
    return Arrays.asList(bytes);
  }
}
