package io.kvasir.kvcache;

import io.kvasir.kvcache.format.ExactRows;
import java.util.List;

/// Layers that share one block table because they keep the same rows for the same positions.
///
/// @param index position of the group in [KvLayout#groups]
/// @param kv what each layer of the group keeps; of exact groups f16 rows in the layer's basis
/// @param layers model layer numbers, ascending; a layer's place in this list is its ordinal in a
///   block
/// @param role what the rows are for
/// @param limit only positions below it are kept; [#UNLIMITED] for all
public record LayerGroup(int index, LayerKv kv, List<Integer> layers, Role role, int limit) {
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
    layers = List.copyOf(layers);
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("group " + index + " has no layers");
    }
    if (limit <= 0 || limit < UNLIMITED && kv.window() > 0) {
      throw new IllegalArgumentException(
          "group %d cannot have the limit %d and the window %d"
              .formatted(index, limit, kv.window()));
    }
  }

  /// Whether its layers see only the last positions.
  public boolean isWindow() {
    return kv.window() > 0;
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
    int first = !isWindow() ? 0 : Math.max(0, position - kv.window() + 1);
    return role == Role.TAIL ? Math.max(first, kv.exact().exactFrom(position)) : first;
  }

  /// Positions of the blocks that a window group holds at most while `chunk` positions are added:
  /// those that are seen, the new ones, and those before in the block where the window begins.
  long mostHeld(int chunk, int blockTokens) {
    long held = (long) blockTokens - 1 + kv.window() - 1 + chunk;
    if (role == Role.TAIL) {
      // Begins on the grid.
      int aligned = Math.min(ExactRows.GRID, Integer.lowestOneBit(blockTokens));
      long onGrid = (long) blockTokens - aligned + kv.exact().tail() + ExactRows.GRID - 1 + chunk;
      held = Math.min(held, onGrid);
    }
    return held;
  }

  /// Whether a sequence that ends with a full block needs nothing of the group, so that a block
  /// behind its window serves only a prompt that branches off inside of that block.
  boolean endsWithBlocks(int blockTokens) {
    return role == Role.TAIL && kv.exact().tail() == 0 && blockTokens % ExactRows.GRID == 0;
  }

  /// One past the index of the last block that `positions` positions have in this group.
  public int endBlock(int positions, int blockTokens) {
    return (int) (((long) Math.min(positions, limit) + blockTokens - 1) / blockTokens);
  }
}
