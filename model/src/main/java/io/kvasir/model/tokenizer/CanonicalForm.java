package io.kvasir.model.tokenizer;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Unicode normalization in time linear in hostile text.
///
/// The JDK sorts the combining marks behind a character by insertion, which takes quadratic time
/// when a megabyte of them stands in the wrong order. Runs longer than [#LONGEST_ORDINARY_RUN] are
/// put in canonical order here first; what the JDK then finds is sorted already. The order of two
/// marks is asked of the JDK itself, since it does not publish their combining classes.
final class CanonicalForm {
  private static final int LONGEST_ORDINARY_RUN = 64;
  private static final int CLASS_1 = 0x334;
  private static final int CLASS_240 = 0x345;

  private CanonicalForm() {}

  /// `text` in `form`.
  static String of(String text, Normalizer.Form form) {
    int from = 0;
    StringBuilder sorted = null;
    for (int i = 0; i < text.length(); ) {
      int end = markRunEnd(text, i);
      if (end - i > LONGEST_ORDINARY_RUN) {
        sorted = sorted == null ? new StringBuilder(text.length()) : sorted;
        sorted.append(text, from, i);
        sort(text.substring(i, end), form, sorted);
        from = end;
      }
      i = end > i ? end : i + Character.charCount(text.codePointAt(i));
    }
    if (sorted != null) {
      return Normalizer.normalize(sorted.append(text, from, text.length()), form);
    }
    return Normalizer.isNormalized(text, form) ? text : Normalizer.normalize(text, form);
  }

  private static int markRunEnd(String text, int from) {
    int end = from;
    while (end < text.length()) {
      int c = text.codePointAt(end);
      if (c < 0x300 || !CharacterKind.isMark(c)) {
        break;
      }
      end += Character.charCount(c);
    }
    return end;
  }

  /// Appends `marks`, fully decomposed, in canonical order.
  private static void sort(String marks, Normalizer.Form form, StringBuilder out) {
    boolean compatible = form == Normalizer.Form.NFKC || form == Normalizer.Form.NFKD;
    Normalizer.Form decomposed = compatible ? Normalizer.Form.NFKD : Normalizer.Form.NFD;
    Map<Integer, String> parts = new HashMap<>();
    StringBuilder single = new StringBuilder(marks.length());
    marks
        .codePoints()
        .forEach(c ->
            single.append(
                parts.computeIfAbsent(
                    c, m -> Normalizer.normalize(Character.toString(m), decomposed))));
    int[] all = single.codePoints().toArray();
    Map<Integer, Integer> ranks = ranks(all);
    for (int from = 0; from < all.length; ) {
      int to = from;
      while (to < all.length && rank(ranks, all[to]) > 0) {
        to++;
      }
      long[] order = new long[to - from];
      for (int i = from; i < to; i++) {
        order[i - from] = (long) rank(ranks, all[i]) << 32 | i;
      }
      Arrays.sort(order);
      for (long entry : order) {
        out.appendCodePoint(all[(int) entry]);
      }
      if (to < all.length) {
        out.appendCodePoint(all[to++]);
      }
      from = to;
    }
  }

  private static int rank(Map<Integer, Integer> ranks, int c) {
    return ranks.getOrDefault(c, 0);
  }

  /// Numbers in the order of the combining classes; 0 for what is not reordered at all.
  private static Map<Integer, Integer> ranks(int[] marks) {
    Map<Integer, Integer> ranks = new HashMap<>();
    List<Integer> moving = new ArrayList<>();
    for (int c : marks) {
      if (ranks.putIfAbsent(c, 0) == null && isReordered(c)) {
        moving.add(c);
      }
    }
    moving.sort((a, b) -> swaps(a, b) ? 1 : swaps(b, a) ? -1 : 0);
    int rank = 0;
    for (int i = 0; i < moving.size(); i++) {
      if (i == 0
          || swaps(moving.get(i), moving.get(i - 1))
          || swaps(moving.get(i - 1), moving.get(i))) {
        rank++;
      }
      ranks.put(moving.get(i), rank);
    }
    return ranks;
  }

  /// Whether canonical order puts `second` before `first`.
  private static boolean swaps(int first, int second) {
    String pair = Character.toString(first) + Character.toString(second);
    return !Normalizer.normalize(pair, Normalizer.Form.NFD).equals(pair);
  }

  /// Whether the combining class of `c` is not zero: then it swaps with a mark of class 1 behind
  /// it, or, being of class 1 itself, with one of class 240 before it.
  private static boolean isReordered(int c) {
    return swaps(c, CLASS_1) || swaps(CLASS_240, c);
  }
}
