package io.kvasir.model.tokenizer;

import org.jspecify.annotations.Nullable;

/// Byte-pair encoding without a list of merges: two neighbours merge where their joint text is a
/// token, the one with the highest score first, the leftmost among equals. This is how
/// SentencePiece runs its BPE models (Kudo, Richardson, EMNLP 2018) and, with the negated id as
/// score, tiktoken.
final class ScoreMergeModel implements SubwordModel {
  private static final int NONE = -1;

  private final Vocabulary vocabulary;
  private final int[] priorities;
  private final int[] byteTokens;
  private final int unknownId;
  private final WordCache cache = new WordCache();

  /// @param scores by id; higher merges first
  /// @param unknownId the token for characters without token or byte tokens, or -1 to drop them
  ScoreMergeModel(Vocabulary vocabulary, float[] scores, int unknownId) {
    this.vocabulary = vocabulary;
    this.byteTokens = vocabulary.byteTokens();
    this.unknownId = unknownId;
    this.priorities = new int[vocabulary.size()];
    for (int id = 0; id < priorities.length; id++) {
      priorities[id] = ascending(id < scores.length ? -scores[id] : 0);
    }
  }

  /// Maps floats to integers in the same order.
  private static int ascending(float value) {
    int bits = Float.floatToIntBits(value + 0.0f);
    return bits >= 0 ? bits : bits ^ 0x7FFFFFFF;
  }

  @Override
  public void encode(String piece, IdList out) {
    int @Nullable [] known = cache.get(piece);
    if (known != null) {
      out.addAll(known);
      return;
    }
    int from = out.size();
    new Merge(piece).run(out);
    cache.put(piece, out.tail(from));
  }

  /// The token that stands in `text` between the bounds and may be merged into, or -1.
  private int mergeable(String text, int from, int to) {
    int id = vocabulary.find(text, from, to);
    if (id < 0) {
      return NONE;
    }
    return switch (vocabulary.kind(id)) {
      case NORMAL, USER_DEFINED, UNUSED -> id;
      case CONTROL, UNKNOWN, BYTE -> NONE;
    };
  }

  /// One text being merged. Symbols are numbered by the position of their first character.
  private final class Merge {
    private final String text;
    private final int length;

    /// Where the symbol that starts here ends, 0 where none starts.
    private final int[] end;

    /// Where the symbol before starts.
    private final int[] previous;

    /// The token that this symbol and the next would make, or -1.
    private final int[] joined;

    private final MergeQueue queue;

    Merge(String text) {
      this.text = text;
      this.length = text.length();
      this.end = new int[length];
      this.previous = new int[length];
      this.joined = new int[length];
      this.queue = new MergeQueue(length);
    }

    void run(IdList out) {
      int before = NONE;
      for (int i = 0; i < length; ) {
        end[i] = i + Character.charCount(text.codePointAt(i));
        previous[i] = before;
        before = i;
        i = end[i];
      }
      for (int i = 0; i < length; i = end[i]) {
        offer(i);
      }
      while (!queue.isEmpty()) {
        long entry = queue.poll();
        int at = (int) entry;
        int token = end[at] == 0 ? NONE : joined[at];
        if (token != NONE && priorities[token] == (int) (entry >> 32)) {
          merge(at);
        }
      }
      for (int i = 0; i < length; i = end[i]) {
        emit(i, out);
      }
    }

    private void merge(int at) {
      int right = end[at];
      end[at] = end[right];
      end[right] = 0;
      if (end[at] < length) {
        previous[end[at]] = at;
      }
      offer(at);
      if (previous[at] != NONE) {
        offer(previous[at]);
      }
    }

    private void offer(int at) {
      int right = end[at];
      joined[at] = right < length ? mergeable(text, at, end[right]) : NONE;
      if (joined[at] != NONE) {
        queue.add(priorities[joined[at]], at);
      }
    }

    private void emit(int at, IdList out) {
      int id = mergeable(text, at, end[at]);
      if (id != NONE) {
        out.add(id);
        return;
      }
      byte[] bytes = Utf8.bytes(text.codePointAt(at));
      for (byte b : bytes) {
        if (byteTokens[b & 255] < 0) {
          if (unknownId >= 0) {
            out.add(unknownId);
          }
          return;
        }
      }
      for (byte b : bytes) {
        out.add(byteTokens[b & 255]);
      }
    }
  }
}
