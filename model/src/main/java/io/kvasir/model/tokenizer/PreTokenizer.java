package io.kvasir.model.tokenizer;

import io.kvasir.model.tokenizer.regex.Regex;
import java.util.ArrayList;
import java.util.List;

/// Cuts text into the parts that the subword model sees one by one, and rewrites them where the
/// model wants another spelling. The kinds are those of Hugging Face's `tokenizers`.
sealed interface PreTokenizer {

  /// Appends the parts of `piece` to `out`.
  void split(Piece piece, List<Piece> out);

  /// One after the other, each on the parts of the one before.
  record Chain(List<PreTokenizer> stages) implements PreTokenizer {
    @Override
    public void split(Piece piece, List<Piece> out) {
      List<Piece> pieces = List.of(piece);
      for (PreTokenizer stage : stages) {
        List<Piece> next = new ArrayList<>(pieces.size() + 16);
        for (Piece part : pieces) {
          stage.split(part, next);
        }
        pieces = next;
      }
      out.addAll(pieces);
    }
  }

  /// What happens to the matches of a [Cut].
  enum Matches {
    REMOVED,
    ISOLATED,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT,
    CONTIGUOUS
  }

  /// Cuts at the matches of a pattern.
  ///
  /// @param inverted whether what lies between the matches counts as the match
  record Cut(Regex pattern, Matches matches, boolean inverted) implements PreTokenizer {

    @Override
    public void split(Piece piece, List<Piece> out) {
      String text = piece.text();
      int[] bounds = pattern.find(text);
      int last = 0;
      Spans spans = new Spans(bounds.length + 1);
      for (int i = 0; i < bounds.length; i += 2) {
        if (bounds[i] > last) {
          spans.add(bounds[i], inverted);
        }
        spans.add(bounds[i + 1], !inverted);
        last = bounds[i + 1];
      }
      if (last < text.length()) {
        spans.add(text.length(), inverted);
      }
      emit(piece, spans, out);
    }

    private void emit(Piece piece, Spans spans, List<Piece> out) {
      int from = 0;
      for (int i = 0; i < spans.count; i++) {
        boolean joinsNext =
            i + 1 < spans.count
                && switch (matches) {
                  case REMOVED, ISOLATED -> false;
                  case CONTIGUOUS -> spans.match[i] == spans.match[i + 1];
                  case MERGED_WITH_PREVIOUS -> !spans.match[i] && spans.match[i + 1];
                  case MERGED_WITH_NEXT -> spans.match[i] && !spans.match[i + 1];
                };
        if (joinsNext) {
          continue;
        }
        boolean removed = matches == Matches.REMOVED && spans.match[i];
        if (!removed && spans.end[i] > from) {
          out.add(
              new Piece(piece.text().substring(from, spans.end[i]), piece.first() && from == 0));
        }
        from = spans.end[i];
      }
    }
  }

  /// The alternating matches and gaps that cover a text.
  final class Spans {
    private final int[] end;
    private final boolean[] match;
    private int count;

    private Spans(int capacity) {
      this.end = new int[capacity];
      this.match = new boolean[capacity];
    }

    private void add(int spanEnd, boolean isMatch) {
      end[count] = spanEnd;
      match[count++] = isMatch;
    }
  }

  /// Spells each part in the byte alphabet.
  record ByteSpelling() implements PreTokenizer {
    @Override
    public void split(Piece piece, List<Piece> out) {
      out.add(new Piece(ByteAlphabet.spell(piece.text()), piece.first()));
    }
  }

  /// Puts a space before a part that does not begin with one.
  record PrefixSpace() implements PreTokenizer {
    @Override
    public void split(Piece piece, List<Piece> out) {
      out.add(piece.text().startsWith(" ") ? piece : new Piece(" " + piece.text(), piece.first()));
    }
  }

  /// Where [Metaspace] puts a space before the text.
  enum Prepend {
    ALWAYS,
    FIRST,
    NEVER
  }

  /// Writes spaces as `replacement` and cuts before each.
  record Metaspace(String replacement, Prepend prepend, boolean cuts) implements PreTokenizer {
    @Override
    public void split(Piece piece, List<Piece> out) {
      String text = piece.text().replace(" ", replacement);
      boolean wanted =
          switch (prepend) {
            case ALWAYS -> true;
            case FIRST -> piece.first();
            case NEVER -> false;
          };
      if (wanted && !text.startsWith(replacement)) {
        text = replacement + text;
      }
      if (!cuts) {
        out.add(new Piece(text, piece.first()));
        return;
      }
      int from = 0;
      while (from < text.length()) {
        int next = text.indexOf(replacement, from + 1);
        int to = next < 0 ? text.length() : next;
        out.add(new Piece(text.substring(from, to), piece.first() && from == 0));
        from = to;
      }
    }
  }
}
