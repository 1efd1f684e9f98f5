package io.kvasir.compute.cpu;

import io.kvasir.compute.Activation;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Products that are computed in one region, none of which reads what another writes: those of
/// several experts, or of several matrices with the same rows.
///
/// Entries are reused: once there has been a batch as large, filling one allocates nothing.
final class ProductBatch {
  private Entry[] entries = {};
  private int size;

  /// One product, or the first half of a feed-forward network.
  static final class Entry {
    final Product product = new Product();
    final Product gate = new Product();

    /// Whether the product's results are multiplied by the activated ones of the gate.
    boolean isGated;

    /// What results go through, those of the gate where there is one; null for results as they are.
    @Nullable Activation activation;

    /// How [Products] cuts the outputs: `step` a part, from part `firstPart` of the region on.
    int step;

    int firstPart;

    /// Names the first rows of `x` of both products.
    void from(float[] values, int at, int stride) {
      product.from(values, at, stride);
      gate.from(values, at, stride);
    }

    /// Names rows of `x` of both products by their numbers.
    void choose(int[] numbers, int at) {
      product.choose(numbers, at);
      gate.choose(numbers, at);
    }
  }

  void clear() {
    size = 0;
  }

  /// Makes room for `count` entries.
  void reserve(int count) {
    int known = entries.length;
    if (known < count) {
      entries = Arrays.copyOf(entries, count);
      for (int i = known; i < count; i++) {
        entries[i] = new Entry();
      }
    }
  }

  /// The next entry, whose products are the caller's to fill.
  Entry add() {
    if (size == entries.length) {
      reserve(Math.max(1, 2 * size));
    }
    Entry entry = entries[size++];
    entry.isGated = false;
    entry.activation = null;
    return entry;
  }

  /// Takes the entry back that was added last.
  void removeLast() {
    size--;
  }

  int size() {
    return size;
  }

  Entry get(int index) {
    return entries[index];
  }

  /// The entry that a part of the region belongs to.
  Entry ofPart(int part) {
    int low = 0;
    int high = size - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (entries[middle].firstPart <= part) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return entries[low];
  }
}
