package io.kvasir.model.tokenizer;

import java.util.ArrayList;
import java.util.List;

/// WordPiece: the longest token that the rest of the word begins with, again and again (Devlin et
/// al., NAACL 2019, appendix); a word that does not work out is one unknown token.
final class WordPieceModel implements SubwordModel {
  private final PrefixIndex starts;
  private final PrefixIndex continuations;
  private final int unknownId;
  private final int longestWord;

  /// @param startPrefix what tokens at the start of a word are written with, or empty
  /// @param continuingPrefix what tokens within a word are written with, or empty
  /// @param unknownId the token for words that do not work out, or -1 to drop them
  /// @param longestWord the number of code points from which on a word is unknown
  WordPieceModel(
      Vocabulary vocabulary,
      String startPrefix,
      String continuingPrefix,
      int unknownId,
      int longestWord) {
    this.starts = index(vocabulary, startPrefix);
    this.continuations = index(vocabulary, continuingPrefix);
    this.unknownId = unknownId;
    this.longestWord = longestWord;
  }

  private static PrefixIndex index(Vocabulary vocabulary, String prefix) {
    List<String> keys = new ArrayList<>();
    IdList ids = new IdList();
    for (int id = 0; id < vocabulary.size(); id++) {
      String token = vocabulary.token(id);
      boolean text = vocabulary.has(id) && vocabulary.kind(id) != TokenKind.CONTROL;
      if (text && token.length() > prefix.length() && token.startsWith(prefix)) {
        keys.add(token.substring(prefix.length()));
        ids.add(id);
      }
    }
    return new PrefixIndex(keys.toArray(String[]::new), ids.toArray());
  }

  @Override
  public void encode(String piece, IdList out) {
    if (piece.codePointCount(0, piece.length()) > longestWord) {
      addUnknown(out);
      return;
    }
    IdList found = new IdList();
    for (int at = 0; at < piece.length(); ) {
      PrefixIndex.Walk walk = (at == 0 ? starts : continuations).walk();
      walk.reset();
      int best = -1;
      int bestEnd = at;
      for (int end = at; end < piece.length() && walk.step(piece.charAt(end)); ) {
        end++;
        int id = walk.value();
        if (id >= 0) {
          best = id;
          bestEnd = end;
        }
      }
      if (best < 0) {
        addUnknown(out);
        return;
      }
      found.add(best);
      at = bestEnd;
    }
    out.addAll(found.toArray());
  }

  private void addUnknown(IdList out) {
    if (unknownId >= 0) {
      out.add(unknownId);
    }
  }
}
