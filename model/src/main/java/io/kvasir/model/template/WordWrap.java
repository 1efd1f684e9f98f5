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

  /// A piece of the line that is not broken unless it is too long: `from` ..< `to`.
  private record Chunk(int from, int to) {
    int length() {
      return to - from;
    }
  }

  private List<String> wrap(String line) {
    List<Chunk> chunks = chunks(line);
    List<String> lines = new ArrayList<>();
    int next = 0;
    while (next < chunks.size()) {
      if (!lines.isEmpty() && isBlank(line, chunks.get(next))) {
        next++;
      }
      int start = next < chunks.size() ? chunks.get(next).from() : line.length();
      int end = start;
      while (next < chunks.size() && chunks.get(next).to() - start <= width) {
        end = chunks.get(next++).to();
      }
      if (next < chunks.size() && chunks.get(next).length() > width) {
        Chunk chunk = chunks.get(next);
        if (breakLong) {
          end = cut(line, chunk, width - (end - start));
          chunks.set(next, new Chunk(end, chunk.to()));
        } else if (end == start) {
          end = chunk.to();
          next++;
        }
      }
      String text = Strings.stripRight(line.substring(start, end));
      if (!text.isEmpty()) {
        lines.add(text);
      }
    }
    return lines;
  }

  /// Where a chunk that is too long is broken when `room` characters are left on the line.
  private int cut(String line, Chunk chunk, int room) {
    int end = chunk.from() + Math.max(1, room);
    if (breakHyphens && room > 0) {
      for (int at = end - 1; at > chunk.from(); at--) {
        if (line.charAt(at) == '-' && hasOtherThanHyphen(line, chunk.from(), at)) {
          return at + 1;
        }
      }
    }
    return Character.isLowSurrogate(line.charAt(end)) ? end + 1 : end;
  }

  private static boolean hasOtherThanHyphen(String line, int from, int end) {
    for (int i = from; i < end; i++) {
      if (line.charAt(i) != '-') {
        return true;
      }
    }
    return false;
  }

  private static boolean isBlank(String line, Chunk chunk) {
    return Chars.isSpace(line.charAt(chunk.from()));
  }

  /// Runs of blanks, and words cut after hyphens that stand between letters.
  private List<Chunk> chunks(String line) {
    List<Chunk> chunks = new ArrayList<>();
    int start = 0;
    for (int i = 1; i <= line.length(); i++) {
      boolean end = i == line.length();
      boolean border = end || Chars.isSpace(line.charAt(i)) != Chars.isSpace(line.charAt(i - 1));
      if (border || breakHyphens && isHyphenBreak(line, start, i)) {
        chunks.add(new Chunk(start, i));
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
