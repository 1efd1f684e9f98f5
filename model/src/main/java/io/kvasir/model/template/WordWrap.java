package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;

/// The `wordwrap` filter: fills lines up to a width, breaking at blanks, after hyphens inside
/// words, and in words longer than a line. Lines of the text are wrapped one by one.
final class WordWrap {
  private final int width;
  private final boolean breakLong;
  private final boolean breakHyphens;

  private WordWrap(int width, boolean breakLong, boolean breakHyphens) {
    this.width = width;
    this.breakLong = breakLong;
    this.breakHyphens = breakHyphens;
  }

  static Value filter(Rendering rt, Value value, Signature.Bound a) {
    if (!(value instanceof Str text)) {
      throw value instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException("'wordwrap' needs a string, not '" + Types.name(value) + "'");
    }
    WordWrap wrap = new WordWrap(a.integer(0, 79), a.truth(1, true), a.truth(3, true));
    if (wrap.width <= 0) {
      throw new TemplateException("the width of 'wordwrap' must be positive, not " + wrap.width);
    }
    String separator = a.present(2) ? a.text(2) : "\n";
    rt.budget().characters((2L + separator.length()) * text.text().length());
    List<String> out = new ArrayList<>();
    for (String line : Strings.lines(text.text(), false)) {
      out.add(String.join(separator, wrap.wrap(line)));
    }
    return text.with(String.join(separator, out));
  }

  private List<String> wrap(String line) {
    List<String> chunks = chunks(line);
    List<String> lines = new ArrayList<>();
    int next = 0;
    while (next < chunks.size()) {
      StringBuilder current = new StringBuilder();
      if (!lines.isEmpty() && isBlank(chunks.get(next))) {
        next++;
      }
      while (next < chunks.size() && current.length() + chunks.get(next).length() <= width) {
        current.append(chunks.get(next++));
      }
      if (next < chunks.size() && chunks.get(next).length() > width) {
        next = placeLong(chunks, next, current);
      }
      String text = current.toString();
      String trimmed = Strings.stripRight(text);
      // Blanks alone stay only when they are the whole first line's only chunk; Python drops the
      // last blank chunk of every line.
      if (!trimmed.isEmpty()) {
        lines.add(trimmed);
      }
    }
    return lines;
  }

  private int placeLong(List<String> chunks, int next, StringBuilder current) {
    String chunk = chunks.get(next);
    if (breakLong) {
      int room = Math.max(1, width - current.length());
      int cut = Math.min(room, chunk.length());
      if (breakHyphens && chunk.length() > room) {
        int hyphen = chunk.lastIndexOf('-', room - 1);
        if (hyphen > 0 && hasOtherThanHyphen(chunk, hyphen)) {
          cut = hyphen + 1;
        }
      }
      current.append(chunk, 0, cut);
      chunks.set(next, chunk.substring(cut));
      return next;
    }
    if (current.isEmpty()) {
      current.append(chunk);
      return next + 1;
    }
    return next;
  }

  private static boolean hasOtherThanHyphen(String chunk, int end) {
    for (int i = 0; i < end; i++) {
      if (chunk.charAt(i) != '-') {
        return true;
      }
    }
    return false;
  }

  private static boolean isBlank(String chunk) {
    return Strings.stripLeft(chunk).isEmpty();
  }

  /// Runs of blanks, and words cut after hyphens that stand between letters.
  private List<String> chunks(String line) {
    List<String> chunks = new ArrayList<>();
    int start = 0;
    for (int i = 1; i <= line.length(); i++) {
      boolean end = i == line.length();
      boolean border = end || Chars.isSpace(line.charAt(i)) != Chars.isSpace(line.charAt(i - 1));
      if (border || breakHyphens && isHyphenBreak(line, start, i)) {
        chunks.add(line.substring(start, i));
        start = i;
      }
    }
    return chunks;
  }

  /// True between a hyphen after two letters and a letter: `well-|known`.
  private static boolean isHyphenBreak(String line, int start, int at) {
    return line.charAt(at - 1) == '-'
        && at - 3 >= start
        && Character.isLetter(line.charAt(at - 2))
        && Character.isLetter(line.charAt(at - 3))
        && at + 1 < line.length()
        && Character.isLetter(line.charAt(at))
        && Character.isLetter(line.charAt(at + 1));
  }
}
