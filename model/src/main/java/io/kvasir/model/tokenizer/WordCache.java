package io.kvasir.model.tokenizer;

import org.jspecify.annotations.Nullable;

/// The ids of words seen lately. Bounded: one entry a slot, a later word pushes out an earlier one.
///
/// Entries are immutable and found whole or not at all, so threads share it without locks.
final class WordCache {
  private static final int SLOTS = 1 << 13;
  private static final int LONGEST_WORD = 48;

  private static final class Entry {
    private final String word;
    private final int[] ids;

    Entry(String word, int[] ids) {
      this.word = word;
      this.ids = ids;
    }
  }

  private final @Nullable Entry[] entries = new Entry[SLOTS];

  int @Nullable [] get(String word) {
    Entry entry = entries[slot(word)];
    return entry != null && entry.word.equals(word) ? entry.ids : null;
  }

  void put(String word, int[] ids) {
    if (word.length() <= LONGEST_WORD) {
      entries[slot(word)] = new Entry(word, ids);
    }
  }

  private static int slot(String word) {
    int mixed = word.hashCode() * 0x9E3779B9;
    return mixed >>> 19 & SLOTS - 1;
  }
}
