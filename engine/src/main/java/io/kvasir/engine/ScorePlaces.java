package io.kvasir.engine;

import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.PrunedTokens;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Where the scores of a sequence's rows stand in the margin of its table: one for each row that
/// the table has of each head, so that what was dropped takes no room.
///
/// ```
/// margin   | layer 0, head 0 | head 1 | ... | position n | position n + 1 | ...
/// head     a score for each row kept of the n pruned positions, in their order
/// position | layer 0, head 0 | head 1 | ... | layer 1, head 0 | ...
/// score    f16
/// ```
///
/// `2 G` bytes for a position and layer with `G` kv heads: a `2 D`th of its rows in f16 where keys
/// and values have `D` elements. Immutable.
final class ScorePlaces {
  static final int BYTES = Short.BYTES;

  /// By layer: number of its first head's score in a position, or -1.
  private final int[] first;

  private final int[] heads;
  private final int width;
  private final int perBlock;
  private final PageBounds bounds;

  /// Places for the layers of a layout that keep all positions.
  ScorePlaces(KvLayout layout) {
    first = new int[layout.layerCount()];
    heads = new int[layout.layerCount()];
    Arrays.fill(first, -1);
    int count = 0;
    for (int layer = 0; layer < first.length; layer++) {
      LayerGroup group = layout.groupOf(layer);
      if (group.isFull()) {
        first[layer] = count;
        heads[layer] = layout.kv(layer).kvHeads();
        count += heads[layer];
      }
    }
    bounds = new PageBounds(layout);
    width = count;
    perBlock = (int) Math.min(Integer.MAX_VALUE, layout.blockBytes() / BYTES);
  }

  /// Blocks of a sequence's margin before its scores: those of the bounds of pages that earlier
  /// answers left out.
  int base(PrunePlan plan) {
    PageSkips skips = plan.skips();
    return skips == null ? 0 : bounds.blocks(skips.marginPages(Integer.MAX_VALUE));
  }

  /// Scores of a position.
  int width() {
    return width;
  }

  int layers() {
    return first.length;
  }

  /// Heads of a layer that are scored.
  int heads(int layer) {
    return heads[layer];
  }

  /// Number of a head's score in those of a position.
  int unit(int layer, int head) {
    return first[layer] + head;
  }

  /// Scores that stand in a block.
  int perBlock() {
    return perBlock;
  }

  /// Rows kept of the pruned positions, over all heads.
  private long kept(@Nullable PrunedTokens pruned) {
    long kept = 0;
    for (int layer = 0; pruned != null && layer < first.length; layer++) {
      for (int head = 0; head < heads[layer]; head++) {
        kept += pruned.count(layer, head);
      }
    }
    return kept;
  }

  /// Where the scores of a position begin that was not pruned.
  long place(@Nullable PrunedTokens pruned, int position) {
    int from = pruned == null ? 0 : pruned.tokens();
    return kept(pruned) + (long) (position - from) * width;
  }

  /// Blocks for the scores of all rows before `end`.
  int blocks(@Nullable PrunedTokens pruned, int end) {
    return blocks(place(pruned, Math.max(end, pruned == null ? 0 : pruned.tokens())));
  }

  /// Blocks for so many scores.
  int blocks(long scores) {
    return Math.toIntExact((scores + perBlock - 1) / perBlock);
  }
}
