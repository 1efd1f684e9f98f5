package io.kvasir.kvcache;

import io.kvasir.kvcache.format.ExactRows;
import java.util.List;

/// Layers that share one block table because they keep rows of the same positions. How they keep
/// them, their heads and formats, may differ from layer to layer.
///
/// @param index position of the group in [KvLayout#groups]
/// @param kvs what each layer of the group keeps, in the order of `layers`; of exact groups f16
///   rows in the layer's basis. All have the same window, in a tail also the same exact rows
/// @param layers model layer numbers, ascending; their rows follow each other in a block in this
///   order
/// @param role what the rows are for
/// @param limit only positions below it are kept; [#UNLIMITED] for all
public record LayerGroup(int index, List<LayerKv> kvs, List<Integer> layers, Role role, int limit) {
  /// The [#limit] of a group that keeps positions however late they come.
  public static final int UNLIMITED = Integer.MAX_VALUE;

  /// What the rows of a group are for.
  public enum Role {
    /// All positions that its layers see, in the layers' formats.
    CODES(0),
    /// A window of exact copies of the newest rows.
    TAIL(1),
    /// Exact copies of the first rows.
    SINKS(2);

    static final int COUNT = values().length;

    private final int place;

    Role(int place) {
      this.place = place;
    }

    /// Place among the roles, from 0.
    int place() {
      return place;
    }
  }

  public LayerGroup {
    kvs = List.copyOf(kvs);
    layers = List.copyOf(layers);
    if (layers.isEmpty() || kvs.size() != layers.size()) {
      throw new IllegalArgumentException(
          "group %d has %d layers and rows of %d".formatted(index, layers.size(), kvs.size()));
    }
    LayerKv first = kvs.getFirst();
    for (LayerKv kv : kvs) {
      if (kv.window() != first.window() || role == Role.TAIL && !kv.exact().equals(first.exact())) {
        throw new IllegalArgumentException(
            "group %d cannot hold both %s and %s".formatted(index, first, kv));
      }
    }
    if (limit <= 0 || limit < UNLIMITED && first.window() > 0) {
      throw new IllegalArgumentException(
          "group %d cannot have the limit %d and the window %d"
              .formatted(index, limit, first.window()));
    }
  }

  /// Number of most recent positions a query sees, itself included; 0 for all.
  public int window() {
    return kvs.getFirst().window();
  }

  /// The rule of the copies of a tail.
  private ExactRows exact() {
    return kvs.getFirst().exact();
  }

  /// Whether its layers see only the last positions.
  public boolean isWindow() {
    return window() > 0;
  }

  /// Whether it keeps only the first positions of a sequence.
  public boolean isBounded() {
    return limit < UNLIMITED;
  }

  /// Whether it keeps every position.
  public boolean isFull() {
    return !isWindow() && !isBounded();
  }

  /// The oldest position that a query at `position` or later still sees. A tail begins on the grid
  /// of [ExactRows], so that a prefix which ends there needs none of it.
  public int firstVisible(int position) {
    int first = !isWindow() ? 0 : Math.max(0, position - window() + 1);
    return role == Role.TAIL ? Math.max(first, exact().exactFrom(position)) : first;
  }

  /// Positions of the blocks that a window group holds at most while `chunk` positions are added:
  /// those that are seen, the new ones, and those before in the block where the window begins.
  long mostHeld(int chunk, int blockTokens) {
    long held = (long) blockTokens - 1 + window() - 1 + chunk;
    if (role == Role.TAIL) {
      // Begins on the grid.
      int aligned = Math.min(ExactRows.GRID, Integer.lowestOneBit(blockTokens));
      long onGrid = (long) blockTokens - aligned + exact().tail() + ExactRows.GRID - 1 + chunk;
      held = Math.min(held, onGrid);
    }
    return held;
  }

  /// Blocks that a window group holds at most while `chunk` positions are added.
  public long mostBlocks(int chunk, int blockTokens) {
    return (mostHeld(chunk, blockTokens) + blockTokens - 1) / blockTokens;
  }

  /// Whether a sequence that ends with a full block needs nothing of the group, so that a block
  /// behind its window serves only a prompt that branches off inside of that block.
  boolean endsWithBlocks(int blockTokens) {
    return role == Role.TAIL && exact().tail() == 0 && blockTokens % ExactRows.GRID == 0;
  }

  /// One past the index of the last block that `positions` positions have in this group.
  public int endBlock(int positions, int blockTokens) {
    return (int) (((long) Math.min(positions, limit) + blockTokens - 1) / blockTokens);
  }
}
