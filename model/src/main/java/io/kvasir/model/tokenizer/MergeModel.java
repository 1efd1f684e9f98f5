package io.kvasir.model.tokenizer;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Byte-pair encoding by ranked merges (Sennrich, Haddow, Birch, ACL 2016): of all neighbours that
/// merge, the pair with the lowest rank does, the leftmost first, until none is left. O(n log n).
final class MergeModel implements SubwordModel {
  private static final int UNKNOWN_SYMBOL = -1;
  private static final int DEAD = -2;

  /// How the model departs from plain merging.
  ///
  /// @param continuingPrefix what every symbol but a word's first is written with, or empty
  /// @param wordSuffix what a word's last symbol is written with, or empty
  /// @param byteFallback whether characters outside the vocabulary become `<0xXX>` tokens
  /// @param fuseUnknown whether neighbouring unknown characters become one token
  /// @param unknownId the token for unknown characters, or -1 to drop them
  /// @param wholeWordsFirst whether a word that is a token itself is not taken apart
  record Options(
      String continuingPrefix,
      String wordSuffix,
      boolean byteFallback,
      boolean fuseUnknown,
      int unknownId,
      boolean wholeWordsFirst) {
    static final Options PLAIN = new Options("", "", false, false, -1, false);
  }

  private final Vocabulary vocabulary;
  private final Options options;
  private final PairTable pairs;
  private final int[] byteTokens;

  /// The symbols of the first characters of Unicode, which are most of any text.
  private final int[] commonSymbols = new int[0x180];

  /// Symbols that only occur on the way to a token and are none themselves, numbered from the end
  /// of the vocabulary.
  private final Map<String, Integer> passing = new HashMap<>();

  private final String[] passingTexts;
  private final WordCache cache = new WordCache();

  /// The merges in order of rank: left and right parts.
  record Merges(List<String> left, List<String> right) {}

  /// Merges that would make a control token out of text are left out.
  ///
  /// @param keepFirst which of two equal merges counts
  MergeModel(Vocabulary vocabulary, Merges merges, Options options, boolean keepFirst) {
    this.vocabulary = vocabulary;
    this.options = options;
    this.pairs = new PairTable(merges.left.size());
    this.byteTokens = vocabulary.byteTokens();
    int prefix = options.continuingPrefix.length();
    for (int rank = 0; rank < merges.left.size(); rank++) {
      String left = merges.left.get(rank);
      String right = merges.right.get(rank);
      String joined = left + right.substring(Math.min(prefix, right.length()));
      int result = symbol(joined);
      if (vocabulary.kind(result) != TokenKind.CONTROL) {
        pairs.put(symbol(left), symbol(right), rank, result, keepFirst);
      }
    }
    passingTexts = new String[passing.size()];
    passing.forEach((text, id) -> passingTexts[id - vocabulary.size()] = text);
    for (int c = 0; c < commonSymbols.length; c++) {
      commonSymbols[c] = lookUp(String.valueOf((char) c));
    }
  }

  private int symbol(String text) {
    int id = vocabulary.find(text);
    return id >= 0 ? id : passing.computeIfAbsent(text, t -> vocabulary.size() + passing.size());
  }

  private int lookUp(String text) {
    int id = vocabulary.find(text);
    if (id >= 0 || passing.isEmpty()) {
      return id;
    }
    return passing.getOrDefault(text, UNKNOWN_SYMBOL);
  }

  @Override
  public void encode(String piece, IdList out) {
    if (piece.isEmpty()) {
      return;
    }
    int @Nullable [] known = cache.get(piece);
    if (known != null) {
      out.addAll(known);
      return;
    }
    int from = out.size();
    encodeWord(piece, out);
    cache.put(piece, out.tail(from));
  }

  private void encodeWord(String word, IdList out) {
    if (options.wholeWordsFirst) {
      int id = vocabulary.find(word);
      if (id >= 0 && vocabulary.kind(id) != TokenKind.CONTROL) {
        out.add(id);
        return;
      }
    }
    Symbols symbols = new Symbols(word.length());
    split(word, symbols);
    merge(symbols.ids, symbols.count);
    for (int i = 0; i < symbols.count; i++) {
      emit(symbols.ids[i], out);
    }
  }

  private void emit(int symbol, IdList out) {
    if (symbol < 0) {
      return;
    }
    if (symbol < vocabulary.size()) {
      out.add(symbol);
      return;
    }
    // A passing symbol that got stuck: its characters are the best there is.
    String text = passingTexts[symbol - vocabulary.size()];
    text.codePoints()
        .forEach(c -> {
          int id = vocabulary.find(Character.toString(c));
          if (id >= 0) {
            out.add(id);
          } else if (options.byteFallback) {
            addBytes(c, out);
          }
        });
  }

  private void addBytes(int c, IdList out) {
    for (byte b : Utf8.bytes(c)) {
      if (byteTokens[b & 255] >= 0) {
        out.add(byteTokens[b & 255]);
      }
    }
  }

  /// The symbols that a word starts as, one for each character.
  private void split(String word, Symbols symbols) {
    boolean decorated = !options.continuingPrefix.isEmpty() || !options.wordSuffix.isEmpty();
    boolean unknownBefore = false;
    for (int i = 0; i < word.length(); ) {
      int c = word.codePointAt(i);
      int end = i + Character.charCount(c);
      int id;
      if (decorated) {
        String prefix = i == 0 ? "" : options.continuingPrefix;
        String suffix = end < word.length() ? "" : options.wordSuffix;
        id = lookUp(prefix + word.substring(i, end) + suffix);
      } else if (c < commonSymbols.length) {
        id = commonSymbols[c];
      } else {
        id = vocabulary.find(word, i, end);
        id = id >= 0 || passing.isEmpty() ? id : lookUp(word.substring(i, end));
      }
      i = end;
      if (id >= 0) {
        symbols.add(id);
        unknownBefore = false;
      } else if (!options.byteFallback || !symbols.addBytes(c, byteTokens)) {
        boolean fused = unknownBefore && options.fuseUnknown;
        if (!fused && options.unknownId >= 0) {
          symbols.add(options.unknownId);
        }
        unknownBefore = true;
      }
    }
  }

  private void merge(int[] ids, int count) {
    if (count < 2) {
      return;
    }
    int[] next = new int[count];
    int[] previous = new int[count];
    MergeQueue queue = new MergeQueue(count);
    for (int i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      if (i > 0) {
        offer(ids, i - 1, i, queue);
      }
    }
    while (!queue.isEmpty()) {
      long entry = queue.poll();
      int at = (int) entry;
      int right = ids[at] == DEAD ? count : next[at];
      if (right == count) {
        continue;
      }
      int pair = pairs.find(ids[at], ids[right]);
      if (pair < 0 || pairs.rank(pair) != (int) (entry >> 32)) {
        continue;
      }
      ids[at] = pairs.result(pair);
      ids[right] = DEAD;
      next[at] = next[right];
      if (next[at] < count) {
        previous[next[at]] = at;
        offer(ids, at, next[at], queue);
      }
      if (previous[at] >= 0) {
        offer(ids, previous[at], at, queue);
      }
    }
  }

  private void offer(int[] ids, int left, int right, MergeQueue queue) {
    int pair = pairs.find(ids[left], ids[right]);
    if (pair >= 0) {
      queue.add(pairs.rank(pair), left);
    }
  }

  /// A growing array of symbols.
  private static final class Symbols {
    int[] ids;
    int count;

    Symbols(int capacity) {
      this.ids = new int[capacity];
    }

    void add(int id) {
      if (count == ids.length) {
        ids = Arrays.copyOf(ids, 2 * count);
      }
      ids[count++] = id;
    }

    /// Adds the tokens of the bytes of `c`; false, and none added, where one is missing.
    boolean addBytes(int c, int[] byteTokens) {
      byte[] bytes = Utf8.bytes(c);
      for (byte b : bytes) {
        if (byteTokens[b & 255] < 0) {
          return false;
        }
      }
      for (byte b : bytes) {
        add(byteTokens[b & 255]);
      }
      return true;
    }
  }
}
