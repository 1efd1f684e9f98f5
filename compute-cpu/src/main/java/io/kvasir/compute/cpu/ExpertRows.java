package io.kvasir.compute.cpu;

import io.kvasir.compute.ExpertSelection;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.MixtureOfExperts;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Which rows chose which expert. A slot is one row of one expert; the slots of an expert are side
/// by side, in the order of the rows, those of the shared network last.
///
/// Arrays grow to the largest need and stay.
final class ExpertRows {
  private List<FeedForward> networks = List.of();
  private @Nullable FeedForward shared;
  private boolean weighsInput;
  private int firstRow;
  private int rowCount;

  /// Experts of a row, the shared network included.
  private int choices;

  private int perRow;

  // Per row and rank.
  private int[] experts = {};
  private float[] weights = {};
  private int[] slots = {};

  // Per slot.
  private int[] rows = {};
  private int[] places = {};

  // Per group: an expert that was chosen; with the end of the last one.
  private int[] groups = {};
  private int[] firsts = {};
  private int[] next = {};
  private int count;

  /// Begins with rows `first .. first + rows - 1`, for [#choose] and then [#group].
  void start(MixtureOfExperts mixture, int first, int rowsNow) {
    networks = mixture.experts();
    shared = mixture.shared();
    weighsInput = mixture.routing().weighsInput();
    firstRow = first;
    rowCount = rowsNow;
    perRow = mixture.routing().expertsPerRow();
    choices = perRow + (shared == null ? 0 : 1);
    int size = Math.multiplyExact(rowsNow, choices);
    if (slots.length < size) {
      experts = new int[size];
      weights = new float[size];
      slots = new int[size];
      rows = new int[size];
      places = new int[size];
    }
    int most = networks.size() + 1;
    if (groups.length < most) {
      groups = new int[most];
      firsts = new int[most + 1];
      next = new int[most];
    }
  }

  /// Chooses the experts of a row; rows may be chosen for by different threads.
  void choose(int row, ExpertSelection selection, HostBuffer logits) {
    selection.select(logits.values(), (firstRow + row) * logits.columns());
    System.arraycopy(selection.experts(), 0, experts, row * choices, perRow);
    System.arraycopy(selection.weights(), 0, weights, row * choices, perRow);
    if (perRow < choices) {
      experts[row * choices + perRow] = networks.size();
      weights[row * choices + perRow] = 1;
    }
  }

  /// Groups the rows by expert.
  void group() {
    Arrays.fill(next, 0);
    int total = rowCount * choices;
    for (int i = 0; i < total; i++) {
      next[experts[i]]++;
    }
    count = 0;
    int at = 0;
    for (int e = 0; e <= networks.size(); e++) {
      int size = next[e];
      next[e] = at;
      if (size > 0) {
        groups[count] = e;
        firsts[count++] = at;
        at += size;
      }
    }
    firsts[count] = at;
    for (int i = 0; i < total; i++) {
      int slot = next[experts[i]]++;
      slots[i] = slot;
      rows[slot] = firstRow + i / choices;
      places[slot] = i;
    }
  }

  int firstRow() {
    return firstRow;
  }

  int rowCount() {
    return rowCount;
  }

  int choices() {
    return choices;
  }

  /// Experts that were chosen.
  int count() {
    return count;
  }

  FeedForward network(int group) {
    int expert = groups[group];
    return expert < networks.size() ? networks.get(expert) : Objects.requireNonNull(shared);
  }

  /// The first slot of an expert.
  int first(int group) {
    return firsts[group];
  }

  /// Rows of an expert.
  int size(int group) {
    return firsts[group + 1] - firsts[group];
  }

  /// The row of each slot.
  int[] rows() {
    return rows;
  }

  int slot(int row, int rank) {
    return slots[row * choices + rank];
  }

  boolean weighsInput() {
    return weighsInput;
  }

  /// What an expert's row of `x` is multiplied by.
  float inputFactor(int slot) {
    return weighsInput ? weights[places[slot]] : 1;
  }

  /// What an expert's result is multiplied by; 1 for the shared network.
  float outputFactor(int row, int rank) {
    return weighsInput ? 1 : weights[row * choices + rank];
  }
}
