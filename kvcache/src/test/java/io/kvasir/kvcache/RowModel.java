package io.kvasir.kvcache;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.TreeMap;

/// What [CacheExercise] stores for a position: in full groups rows of two floats that spell 48 bits
/// of its content, different for each layer, head, keys and values; in other groups, whose rows
/// nobody copies one by one, the content as it is.
final class RowModel {
  private static final int MASK = (1 << 24) - 1;

  private final KvLayout layout;
  private final HostStorage storage;
  private final int blockTokens;
  private final float[] row = new float[2];

  RowModel(KvLayout layout, HostStorage storage) {
    this.layout = layout;
    this.storage = storage;
    this.blockTokens = layout.blockTokens();
  }

  void write(BlockTable table, LayerGroup group, int position, long value) {
    int block = table.block(group.index(), position / blockTokens);
    int slot = position % blockTokens;
    if (!group.isFull()) {
      storage
          .segment(block)
          .set(ValueLayout.JAVA_LONG, storage.offset(block) + 8L * slot, value + group.index());
      return;
    }
    for (int layer : group.layers()) {
      for (int head = 0; head < layout.kv(layer).kvHeads(); head++) {
        spell(value, layer, head, 0);
        KvFormat.F32.encode(row, 0, keys(block, layout.keyOffset(layer, head)), slot);
        spell(value, layer, head, 1);
        KvFormat.F32.encode(row, 0, values(block, layout.valueOffset(layer, head)), slot);
      }
    }
  }

  boolean holds(BlockTable table, LayerGroup group, int position, long value) {
    int block = table.block(group.index(), position / blockTokens);
    int slot = position % blockTokens;
    if (!group.isFull()) {
      long at = storage.offset(block) + 8L * slot;
      return storage.segment(block).get(ValueLayout.JAVA_LONG, at) - group.index() == value;
    }
    // One of the heads, each in its turn.
    int layer = group.layers().get(position % group.layers().size());
    int head = position / group.layers().size() % layout.kv(layer).kvHeads();
    KvPlane keys = keys(block, layout.keyOffset(layer, head));
    KvPlane values = values(block, layout.valueOffset(layer, head));
    return holds(keys, values, slot, spelled(value, layer, head));
  }

  /// Rows to keep of the first `tokens`, of each head some, of what a former choice has left.
  int[][][] choose(SplittableRandom random, int before, int[][][] left, int tokens) {
    int[][][] kept = new int[layout.layerCount()][][];
    for (LayerGroup group : PrunedPages.prunedGroups(layout)) {
      for (int layer : group.layers()) {
        kept[layer] = new int[layout.kv(layer).kvHeads()][];
        for (int head = 0; head < kept[layer].length; head++) {
          int[] from = before == 0 ? new int[0] : left[layer][head];
          int dropped = random.nextInt(5);
          int[] chosen = new int[tokens];
          int count = 0;
          for (int position = 0; position < tokens; position++) {
            boolean there = position >= before || Arrays.binarySearch(from, position) >= 0;
            if (there && random.nextInt(4) >= dropped) {
              chosen[count++] = position;
            }
          }
          kept[layer][head] = Arrays.copyOf(chosen, count);
        }
      }
    }
    return kept;
  }

  /// Checks that a table that has just been pruned takes no more blocks than it needs.
  void checkSize(BlockTable table, int[][][] kept, int tokens) {
    int blocks = 0;
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      blocks += table.endBlock(g) - table.firstBlock(g);
      if (group.isFull()) {
        demand(table.firstBlock(g) == tokens / blockTokens, "%s begins early", table);
        blocks += blocksOfPages(group, kept);
      }
    }
    demand(table.blockCount() == blocks, "%s has %d blocks", table, blocks);
  }

  /// Each block is filled with pages as long as there is one that fits, the largest first.
  private int blocksOfPages(LayerGroup group, int[][][] kept) {
    TreeMap<Long, Integer> left = new TreeMap<>();
    for (int layer : group.layers()) {
      for (int[] ofHead : kept[layer]) {
        int pages = (ofHead.length - exact(layer, ofHead) + blockTokens - 1) / blockTokens;
        left.merge(layout.kv(layer).headBytes(blockTokens), pages, Integer::sum);
      }
    }
    left.values().removeIf(pages -> pages == 0);
    int blocks = 0;
    for (; !left.isEmpty(); blocks++) {
      long room = layout.blockBytes();
      while (left.floorKey(room) != null) {
        long size = left.floorKey(room);
        room -= size;
        left.computeIfPresent(size, (bytes, pages) -> pages == 1 ? null : pages - 1);
      }
    }
    return blocks;
  }

  /// How many of the positions are among the layer's exact first rows.
  private int exact(int layer, int[] ofHead) {
    LayerGroup sinks = layout.exactGroup(layer, LayerGroup.Role.SINKS);
    int count = 0;
    while (sinks != null && count < ofHead.length && ofHead[count] < sinks.limit()) {
      count++;
    }
    return count;
  }

  void checkPruned(BlockTable table, int[][][] kept, int tokens, long[] contents) {
    PrunedTokens pruned = table.pruned();
    demand((pruned == null ? 0 : pruned.tokens()) == tokens, "%s pruned to %d", table, tokens);
    for (int layer = 0; pruned != null && layer < layout.layerCount(); layer++) {
      boolean full = layout.groupOf(layer).isFull();
      for (int head = 0; head < layout.kv(layer).kvHeads(); head++) {
        int[] ofHead = full ? kept[layer][head] : new int[0];
        int exact = exact(layer, ofHead);
        demand(
            pruned.count(layer, head) == ofHead.length - exact,
            "%d rows of head %d of layer %d",
            pruned.count(layer, head),
            head,
            layer);
        for (int i = exact; i < ofHead.length; i++) {
          checkRow(pruned, layer, head, i - exact, ofHead[i], contents[ofHead[i]]);
        }
      }
    }
  }

  private void checkRow(
      PrunedTokens pruned, int layer, int head, int i, int position, long content) {
    demand(pruned.position(layer, head, i) == position, "row %d is not %d", i, position);
    int page = i / blockTokens;
    int block = pruned.block(layer, head, page);
    demand(
        holds(
            keys(block, pruned.keyOffset(layer, head, page)),
            values(block, pruned.valueOffset(layer, head, page)),
            i % blockTokens,
            spelled(content, layer, head)),
        "row %d of head %d of layer %d, position %d, holds another content",
        i,
        head,
        layer,
        position);
  }

  private boolean holds(KvPlane keys, KvPlane values, int slot, long spelled) {
    KvFormat.F32.decode(keys, slot, row, 0);
    boolean same = row[0] == (spelled & MASK) && row[1] == (spelled >>> 24 & MASK);
    KvFormat.F32.decode(values, slot, row, 0);
    return same && row[0] == (spelled + 1 & MASK) && row[1] == (spelled >>> 24 & MASK);
  }

  /// @param side 0 for keys, 1 for values
  private void spell(long value, int layer, int head, int side) {
    long spelled = spelled(value, layer, head);
    row[0] = spelled + side & MASK;
    row[1] = spelled >>> 24 & MASK;
  }

  private static long spelled(long value, int layer, int head) {
    return value + (layer * 8L + head) * 4;
  }

  private KvPlane keys(int block, long offset) {
    return plane(block, offset, PlaneKind.KEYS);
  }

  private KvPlane values(int block, long offset) {
    return plane(block, offset, PlaneKind.VALUES);
  }

  private KvPlane plane(int block, long offset, PlaneKind kind) {
    return new KvPlane(
        storage.segment(block), storage.offset(block) + offset, blockTokens, row.length, kind);
  }

  private static void demand(boolean holds, String message, Object... values) {
    if (!holds) {
      throw new IllegalStateException(message.formatted(values));
    }
  }
}
