package io.kvasir.engine.grammar;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A set of code points as sorted ranges that neither touch nor overlap. Immutable.
final class CharSet {
  static final int MAX = 0x10FFFF;

  /// Two symbols that are no characters: the begin and the end of the text.
  static final int BEGIN = MAX + 1;

  static final int END = MAX + 2;

  static final CharSet EMPTY = new CharSet(new int[0]);

  /// Every character that UTF-8 can write: all code points but the surrogates.
  static final CharSet ALL = new CharSet(new int[] {0, 0xD7FF, 0xE000, MAX});

  private final int[] ranges;

  private CharSet(int[] ranges) {
    this.ranges = ranges;
  }

  static CharSet of(int c) {
    return new CharSet(new int[] {c, c});
  }

  static CharSet range(int low, int high) {
    return low > high ? EMPTY : new CharSet(new int[] {low, high});
  }

  /// The set of the pairs `low, high` in any order.
  static CharSet ofRanges(int... pairs) {
    CharSet all = EMPTY;
    for (int i = 0; i < pairs.length; i += 2) {
      all = all.union(range(pairs[i], pairs[i + 1]));
    }
    return all;
  }

  static CharSet ofChars(String chars) {
    CharSet all = EMPTY;
    for (int c : chars.codePoints().toArray()) {
      all = all.union(of(c));
    }
    return all;
  }

  /// How many ranges there are.
  int size() {
    return ranges.length / 2;
  }

  boolean isEmpty() {
    return ranges.length == 0;
  }

  int low(int i) {
    return ranges[2 * i];
  }

  int high(int i) {
    return ranges[2 * i + 1];
  }

  boolean contains(int c) {
    for (int i = 0; i < size(); i++) {
      if (c >= low(i) && c <= high(i)) {
        return true;
      }
    }
    return false;
  }

  CharSet union(CharSet other) {
    if (isEmpty()) {
      return other;
    }
    if (other.isEmpty()) {
      return this;
    }
    int[] out = new int[ranges.length + other.ranges.length];
    int n = 0;
    int a = 0;
    int b = 0;
    while (a < ranges.length || b < other.ranges.length) {
      boolean mine = b >= other.ranges.length || a < ranges.length && ranges[a] <= other.ranges[b];
      int low = mine ? ranges[a] : other.ranges[b];
      int high = mine ? ranges[a + 1] : other.ranges[b + 1];
      if (mine) {
        a += 2;
      } else {
        b += 2;
      }
      if (n > 0 && low <= out[n - 1] + 1) {
        out[n - 1] = Math.max(out[n - 1], high);
      } else {
        out[n++] = low;
        out[n++] = high;
      }
    }
    return new CharSet(Arrays.copyOf(out, n));
  }

  /// All characters that are not in this set.
  CharSet negate() {
    return ALL.minus(this);
  }

  CharSet minus(CharSet other) {
    CharSet out = EMPTY;
    int b = 0;
    for (int i = 0; i < size(); i++) {
      int from = low(i);
      while (b < other.size() && other.high(b) < from) {
        b++;
      }
      for (int j = b; j < other.size() && other.low(j) <= high(i); j++) {
        out = out.union(range(from, other.low(j) - 1));
        from = Math.max(from, other.high(j) + 1);
      }
      out = out.union(range(from, high(i)));
    }
    return out;
  }

  @Override
  public boolean equals(@Nullable Object o) {
    return o instanceof CharSet other && Arrays.equals(ranges, other.ranges);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(ranges);
  }

  @Override
  public String toString() {
    return Arrays.toString(ranges);
  }
}
