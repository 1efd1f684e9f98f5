package io.kvasir.model.tokenizer;

import java.util.Arrays;
import java.util.Comparator;

/// Finds which keys begin at a position of a text: the keys in sorted order, walked like a trie by
/// narrowing the range of those that begin with what was read. Needs two arrays and no nodes.
final class PrefixIndex {
  private final String[] keys;
  private final int[] values;

  /// Where keys with a first character below 256 begin, for speed on Latin text.
  private final int[] firstStart = new int[257];

  /// @param keys the keys; of equal ones the last counts
  /// @param values what each key stands for
  PrefixIndex(String[] keys, int[] values) {
    Integer[] order = new Integer[keys.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparing((Integer i) -> keys[i]));
    String[] sorted = new String[keys.length];
    int[] sortedValues = new int[keys.length];
    int count = 0;
    for (int i : order) {
      if (count > 0 && sorted[count - 1].equals(keys[i])) {
        count--;
      }
      sorted[count] = keys[i];
      sortedValues[count++] = values[i];
    }
    this.keys = Arrays.copyOf(sorted, count);
    this.values = Arrays.copyOf(sortedValues, count);
    int at = 0;
    for (int c = 0; c < 257; c++) {
      while (at < count && (this.keys[at].isEmpty() || this.keys[at].charAt(0) < c)) {
        at++;
      }
      firstStart[c] = at;
    }
  }

  boolean isEmpty() {
    return keys.length == 0;
  }

  Walk walk() {
    return new Walk();
  }

  /// A position in the trie. Reusable; for one thread.
  final class Walk {
    private int low;
    private int high;
    private int depth;

    /// Goes back to the root.
    void reset() {
      low = 0;
      high = keys.length;
      depth = 0;
    }

    /// Goes on by one character; false where no key continues like that.
    boolean step(char c) {
      if (depth == 0 && c < 256) {
        low = firstStart[c];
        high = firstStart[c + 1];
      } else {
        low = lowerBound(c);
        high = c == Character.MAX_VALUE ? high : lowerBound((char) (c + 1));
      }
      depth++;
      return low < high;
    }

    /// The value of the key that has been read exactly, or -1.
    int value() {
      return low < high && keys[low].length() == depth ? values[low] : -1;
    }

    private int lowerBound(char c) {
      int from = low;
      int to = high;
      while (from < to) {
        int middle = from + to >>> 1;
        String key = keys[middle];
        if (key.length() <= depth || key.charAt(depth) < c) {
          from = middle + 1;
        } else {
          to = middle;
        }
      }
      return from;
    }
  }
}
