package io.kvasir.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What one step computes: sequences and how many of each one's pending tokens. Reused from step to
/// step.
final class Batch {
  private final List<Sequence> sequences = new ArrayList<>();
  private int[] counts = new int[8];
  private int tokens;

  void clear() {
    sequences.clear();
    tokens = 0;
  }

  void add(Sequence sequence, int count) {
    if (sequences.size() == counts.length) {
      counts = Arrays.copyOf(counts, 2 * counts.length);
    }
    counts[sequences.size()] = count;
    sequences.add(sequence);
    tokens += count;
  }

  /// Puts sequences that share their first blocks in a group beside each other. Only for a batch in
  /// which each has the same number of tokens so far.
  void neighbourByPrefix(int group) {
    for (int i = 1; i < sequences.size(); i++) {
      Sequence moved = sequences.get(i);
      int low = 0;
      int high = i;
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (moved.table().compareBlocks(group, sequences.get(middle).table()) < 0) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      for (int at = i; at > low; at--) {
        sequences.set(at, sequences.get(at - 1));
      }
      sequences.set(low, moved);
    }
  }

  int size() {
    return sequences.size();
  }

  boolean isEmpty() {
    return sequences.isEmpty();
  }

  Sequence sequence(int index) {
    return sequences.get(index);
  }

  /// Tokens of the sequence at `index` in this step.
  int count(int index) {
    return counts[index];
  }

  /// Whether the step computes the sequence's last known token, so that the next one can be chosen.
  boolean completes(int index) {
    return counts[index] == sequences.get(index).pending();
  }

  /// Tokens over all sequences.
  int tokens() {
    return tokens;
  }
}
