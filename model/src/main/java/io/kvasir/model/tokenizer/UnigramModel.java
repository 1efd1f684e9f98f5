package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import java.util.Arrays;

/// The most probable segmentation under a unigram language model (Kudo, ACL 2018), by Viterbi over
/// the positions of the text: O(n times the longest token).
final class UnigramModel implements SubwordModel {
  /// What an unknown character costs beyond the least probable token, as in SentencePiece.
  private static final double UNKNOWN_PENALTY = 10.0;

  private final Vocabulary vocabulary;
  private final PrefixIndex index;
  private final double[] scores;
  private final double unknownScore;
  private final int unknownId;
  private final int[] byteTokens;
  private final boolean byteFallback;

  /// What happens to characters that no token covers.
  ///
  /// @param id the token for them, or -1
  /// @param score the log-probability of one of them
  /// @param byteFallback whether they become `<0xXX>` tokens where those exist
  record Unknown(int id, double score, boolean byteFallback) {

    /// The score that SentencePiece gives, worked out from all others.
    static double score(double leastScore) {
      return leastScore - UNKNOWN_PENALTY;
    }
  }

  /// @param index the tokens that text may be cut into
  /// @param scores log-probabilities by id
  UnigramModel(Vocabulary vocabulary, PrefixIndex index, double[] scores, Unknown unknown) {
    this.vocabulary = vocabulary;
    this.index = index;
    this.scores = scores;
    this.unknownId = unknown.id;
    this.unknownScore = unknown.score;
    this.byteFallback = unknown.byteFallback;
    this.byteTokens = vocabulary.byteTokens();
  }

  @Override
  public void encode(String piece, IdList out) {
    int length = piece.length();
    double[] best = new double[length + 1];
    int[] start = new int[length + 1];
    int[] token = new int[length + 1];
    Arrays.fill(start, -1);
    PrefixIndex.Walk walk = index.walk();
    for (int at = 0; at < length; ) {
      int next = at + Character.charCount(piece.codePointAt(at));
      boolean single = false;
      walk.reset();
      for (int end = at; end < length && walk.step(piece.charAt(end)); ) {
        end++;
        int id = walk.value();
        if (id >= 0) {
          single |= end == next;
          double score = best[at] + scores[id];
          if (start[end] < 0 || score > best[end]) {
            best[end] = score;
            start[end] = at;
            token[end] = id;
          }
        }
      }
      double score = best[at] + unknownScore;
      if (!single && (start[next] < 0 || score > best[next])) {
        best[next] = score;
        start[next] = at;
        token[next] = unknownId;
      }
      at = next;
    }
    emit(piece, start, token, out);
  }

  private void emit(String piece, int[] start, int[] token, IdList out) {
    // Turn the links around, so that tokens come out from left to right.
    int[] end = new int[piece.length() + 1];
    for (int at = piece.length(); at > 0; at = start[at]) {
      end[start[at]] = at;
    }
    for (int at = 0; at < piece.length(); ) {
      int to = end[at];
      if (token[to] != unknownId) {
        out.add(token[to]);
      } else {
        while (to < piece.length() && token[end[to]] == unknownId) {
          to = end[to];
        }
        emitUnknown(piece, at, to, out);
      }
      at = to;
    }
  }

  private void emitUnknown(String piece, int from, int to, IdList out) {
    int whole = vocabulary.find(piece, from, to);
    if (whole >= 0 && vocabulary.kind(whole) != TokenKind.CONTROL) {
      out.add(whole);
      return;
    }
    if (byteFallback && allBytesKnown(piece, from, to)) {
      piece
          .substring(from, to)
          .codePoints()
          .forEach(c -> {
            for (byte b : Utf8.bytes(c)) {
              out.add(byteTokens[b & 255]);
            }
          });
      return;
    }
    if (unknownId < 0) {
      throw new ModelFormatException(
          "the tokenizer has no token for \""
              + piece.substring(from, to)
              + "\" and no unknown token");
    }
    out.add(unknownId);
  }

  private boolean allBytesKnown(String piece, int from, int to) {
    return piece
        .substring(from, to)
        .codePoints()
        .allMatch(c -> {
          for (byte b : Utf8.bytes(c)) {
            if (byteTokens[b & 255] < 0) {
              return false;
            }
          }
          return true;
        });
  }
}
