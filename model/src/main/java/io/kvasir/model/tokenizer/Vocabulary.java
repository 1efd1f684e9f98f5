package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import java.util.Arrays;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// All tokens by id, and ids by token: an open-addressing hash table over the array of tokens,
/// which needs four to eight bytes a token besides the strings.
///
/// Ids without a token read as the empty string. Where a token occurs twice the table finds the one
/// that was added last. Built by one thread, then immutable.
final class Vocabulary {
  /// More tokens than any model has; a hostile id must not decide how much is allocated.
  static final int MAX_SIZE = 1 << 22;

  /// So many tokens in one chain mean a file made to collide.
  private static final int MAX_PROBES = 20_000;

  private String[] tokens;
  private TokenKind[] kinds;
  private int[] slots;
  private int size;
  private int entries;
  private int longest;

  Vocabulary(int expectedSize) {
    int capacity = Math.clamp(expectedSize, 16, MAX_SIZE);
    this.tokens = new String[capacity];
    this.kinds = new TokenKind[capacity];
    this.slots = emptySlots(Integer.highestOneBit(capacity) << 2);
  }

  private static int[] emptySlots(int length) {
    int[] out = new int[length];
    Arrays.fill(out, -1);
    return out;
  }

  /// Gives `id` the text `token`.
  void put(int id, String token, TokenKind kind) {
    if (id < 0 || id >= MAX_SIZE) {
      throw new ModelFormatException(
          "the tokenizer gives token \"" + token + "\" the id " + id + ", which is out of range");
    }
    if (id >= tokens.length) {
      int capacity = Math.min(MAX_SIZE, Math.max(id + 1, 2 * tokens.length));
      tokens = Arrays.copyOf(tokens, capacity);
      kinds = Arrays.copyOf(kinds, capacity);
    }
    tokens[id] = token;
    kinds[id] = kind;
    size = Math.max(size, id + 1);
    longest = Math.max(longest, token.length());
    if (++entries * 2 > slots.length) {
      rehash();
    } else {
      insert(id);
    }
  }

  private void rehash() {
    slots = emptySlots(slots.length * 2);
    for (int id = 0; id < size; id++) {
      if (tokens[id] != null) {
        insert(id);
      }
    }
  }

  private void insert(int id) {
    String token = tokens[id];
    int mask = slots.length - 1;
    int slot = spread(token.hashCode()) & mask;
    for (int probes = 0; slots[slot] >= 0 && !tokens[slots[slot]].equals(token); probes++) {
      if (probes == MAX_PROBES) {
        throw new ModelFormatException(
            "the tokenizer's vocabulary holds more than " + MAX_PROBES + " colliding tokens");
      }
      slot = slot + 1 & mask;
    }
    slots[slot] = id;
  }

  private static int spread(int hash) {
    int mixed = hash * 0x9E3779B9;
    return mixed ^ mixed >>> 15;
  }

  /// The id of `text`, or -1.
  int find(String text) {
    return find(text, 0, text.length(), text.hashCode());
  }

  /// The id of the token that stands in `text` between `from` and `to`, or -1.
  int find(String text, int from, int to) {
    if (to - from > longest) {
      return -1;
    }
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + text.charAt(i);
    }
    return find(text, from, to, hash);
  }

  private int find(String text, int from, int to, int hash) {
    int mask = slots.length - 1;
    int length = to - from;
    for (int slot = spread(hash) & mask; slots[slot] >= 0; slot = slot + 1 & mask) {
      String token = tokens[slots[slot]];
      if (token.length() == length && token.regionMatches(0, text, from, length)) {
        return slots[slot];
      }
    }
    return -1;
  }

  OptionalInt idOf(String text) {
    int id = find(text);
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /// The token with number `id`; empty for an id that no token has.
  String token(int id) {
    String token = id >= 0 && id < size ? tokens[id] : null;
    return token == null ? "" : token;
  }

  /// What token `id` is for.
  TokenKind kind(int id) {
    @Nullable TokenKind kind = id >= 0 && id < size ? kinds[id] : null;
    return kind == null ? TokenKind.UNUSED : kind;
  }

  boolean has(int id) {
    return id >= 0 && id < size && tokens[id] != null;
  }

  /// One more than the largest id.
  int size() {
    return size;
  }

  /// The length of the longest token, in UTF-16 units.
  int longestToken() {
    return longest;
  }

  /// The ids of the 256 tokens `<0x00>` to `<0xFF>`; -1 for those that are missing.
  int[] byteTokens() {
    int[] out = new int[256];
    for (int b = 0; b < 256; b++) {
      out[b] = find(byteToken(b));
    }
    return out;
  }

  static String byteToken(int b) {
    return "<0x"
        + Character.toUpperCase(Character.forDigit(b >> 4, 16))
        + Character.toUpperCase(Character.forDigit(b & 15, 16))
        + ">";
  }

  /// The byte that `token` names as `<0xXX>`, or -1.
  static int byteOf(String token) {
    if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
      return -1;
    }
    int high = Character.digit(token.charAt(3), 16);
    int low = Character.digit(token.charAt(4), 16);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
  }
}
