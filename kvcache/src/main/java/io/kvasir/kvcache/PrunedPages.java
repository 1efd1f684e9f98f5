package io.kvasir.kvcache;

import io.kvasir.kvcache.LayerGroup.Role;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// The kept rows of a pruned sequence and the blocks that hold them; shared by the forks of the
/// table that was pruned, until the last of them ends.
///
/// A page has the bytes of one (layer, kv head) of a block. The pages of all heads of a group are
/// numbered in the order of layers and heads, so that a head's pages follow each other, and put
/// into blocks by [PagePlaces].
final class PrunedPages implements PrunedTokens {
  private static final int NONE = -1;
  private static final int[] NO_NUMBERS = new int[0];

  private final KvLayout layout;
  private final int tokens;

  /// By layer: number of its first head among all heads that are pruned, or [#NONE].
  private final int[] firstHead;

  /// By head: where its rows begin in [#positions], with the end of the last.
  private final int[] firstRow;

  /// By head: number of its first page in its group.
  private final int[] firstPage;

  /// By group: where its pages are.
  private final PagePlaces[] places;

  private final int[] positions;
  private final int[][] blocks;
  private int holders = 1;

  /// Finds room for the kept rows, in blocks that are still to be named.
  ///
  /// @throws IllegalArgumentException naming what cannot be kept
  PrunedPages(KvLayout layout, KeptTokens kept, @Nullable PrunedPages before) {
    this.layout = layout;
    this.tokens = kept.tokens();
    this.firstHead = new int[layout.layerCount()];
    Arrays.fill(firstHead, NONE);
    int heads = 0;
    int rows = 0;
    for (LayerGroup group : prunedGroups(layout)) {
      for (int layer : group.layers()) {
        firstHead[layer] = heads;
        heads += layout.kv(layer).kvHeads();
        rows += rows(kept, layer, layout.kv(layer).kvHeads());
      }
    }
    this.firstRow = new int[heads + 1];
    this.firstPage = new int[heads];
    this.positions = new int[rows];
    this.blocks = new int[layout.groups().size()][];
    this.places = new PagePlaces[blocks.length];
    int count = 0;
    Arrays.fill(blocks, NO_NUMBERS);
    for (LayerGroup group : prunedGroups(layout)) {
      PagePlaces.Builder pages = new PagePlaces.Builder(layout.blockBytes());
      for (int layer : group.layers()) {
        long headBytes = layout.kv(layer).headBytes(layout.blockTokens());
        for (int head = 0; head < layout.kv(layer).kvHeads(); head++) {
          int at = firstHead[layer] + head;
          firstPage[at] = pages.count();
          firstRow[at] = count;
          count = add(kept, layer, head, count, before);
          firstRow[at + 1] = count;
          pages.add(pages(count - firstRow[at]), headBytes);
        }
      }
      places[group.index()] = pages.build();
      blocks[group.index()] = new int[places[group.index()].blocks()];
      Arrays.fill(blocks[group.index()], NONE);
    }
  }

  /// Whether rows of the group are dropped by pruning.
  static boolean isPruned(LayerGroup group) {
    return group.isFull();
  }

  static List<LayerGroup> prunedGroups(KvLayout layout) {
    return layout.groups().stream().filter(PrunedPages::isPruned).toList();
  }

  /// Kept rows of a layer, those that it has exactly from the start not counted.
  private int rows(KeptTokens kept, int layer, int heads) {
    int[][] ofLayer = layer < kept.positions().length ? kept.positions()[layer] : null;
    if (ofLayer == null || ofLayer.length != heads) {
      throw new IllegalArgumentException(
          "layer %d has %d kv heads, kept positions are given for %s"
              .formatted(layer, heads, ofLayer == null ? "none" : ofLayer.length));
    }
    int rows = 0;
    for (int head = 0; head < heads; head++) {
      checkOrder(ofLayer[head], layer, head);
      rows = Math.addExact(rows, ofLayer[head].length - exactRows(ofLayer[head], layer));
    }
    return rows;
  }

  private void checkOrder(int[] ofHead, int layer, int head) {
    int last = -1;
    for (int position : ofHead) {
      if (position <= last || position >= tokens) {
        throw new IllegalArgumentException(
            "kept positions of head %d of layer %d must ascend from 0 to %d: %d after %d"
                .formatted(head, layer, tokens - 1, position, last));
      }
      last = position;
    }
  }

  /// How many of the positions are below the first that is not kept exactly.
  private int exactRows(int[] ofHead, int layer) {
    LayerGroup sinks = layout.exactGroup(layer, Role.SINKS);
    if (sinks == null) {
      return 0;
    }
    int place = Arrays.binarySearch(ofHead, sinks.limit());
    return place < 0 ? -place - 1 : place;
  }

  private int add(KeptTokens kept, int layer, int head, int at, @Nullable PrunedPages before) {
    int[] ofHead = ofHead(kept, layer, head);
    int next = at;
    for (int i = exactRows(ofHead, layer); i < ofHead.length; i++) {
      if (before != null && ofHead[i] < before.tokens && before.row(layer, head, ofHead[i]) < 0) {
        throw new IllegalArgumentException(
            "position %d of head %d of layer %d is gone and cannot be kept"
                .formatted(ofHead[i], head, layer));
      }
      positions[next++] = ofHead[i];
    }
    return next;
  }

  private static int[] ofHead(KeptTokens kept, int layer, int head) {
    int[][] ofLayer = kept.positions()[layer];
    return ofLayer == null ? NO_NUMBERS : ofLayer[head];
  }

  private int pages(int rows) {
    return (int) (((long) rows + layout.blockTokens() - 1) / layout.blockTokens());
  }

  @Override
  public int tokens() {
    return tokens;
  }

  @Override
  public int count(int layer, int head) {
    int at = firstHead[layer];
    return at == NONE ? 0 : firstRow[at + head + 1] - firstRow[at + head];
  }

  @Override
  public int position(int layer, int head, int i) {
    return positions[firstRow[firstHead[layer] + head] + i];
  }

  /// The row that holds a position, or a negative number.
  int row(int layer, int head, int position) {
    int at = firstHead[layer] + head;
    int found = Arrays.binarySearch(positions, firstRow[at], firstRow[at + 1], position);
    return found < 0 ? NONE : found - firstRow[at];
  }

  @Override
  public int block(int layer, int head, int page) {
    int group = layout.groupOf(layer).index();
    return blocks[group][places[group].block(firstPage[firstHead[layer] + head] + page)];
  }

  @Override
  public long keyOffset(int layer, int head, int page) {
    int group = layout.groupOf(layer).index();
    return places[group].offset(firstPage[firstHead[layer] + head] + page);
  }

  @Override
  public long valueOffset(int layer, int head, int page) {
    LayerKv kv = layout.kv(layer);
    long key = keyOffset(layer, head, page);
    return kv.valueDim() == 0 ? key : key + kv.keyPlaneBytes(layout.blockTokens());
  }

  /// Blocks that the group's pages take.
  int blocks(int group) {
    return blocks[group].length;
  }

  int block(int group, int i) {
    return blocks[group][i];
  }

  /// Blocks of all pages.
  int blockCount() {
    int count = 0;
    for (int[] ofGroup : blocks) {
      count += ofGroup.length;
    }
    return count;
  }

  void forEachBlock(IntConsumer visitor) {
    for (int[] ofGroup : blocks) {
      for (int block : ofGroup) {
        visitor.accept(block);
      }
    }
  }

  void place(int group, int i, int block) {
    blocks[group][i] = block;
  }

  /// Tables that hold the pages.
  int holders() {
    return holders;
  }

  /// One more table holds the pages.
  void hold() {
    holders++;
  }

  /// One table less holds the pages. @return whether it was the last
  boolean drop() {
    return --holders == 0;
  }

  @Override
  public String toString() {
    return "PrunedPages[tokens=%d rows=%d blocks=%d]"
        .formatted(tokens, positions.length, blockCount());
  }
}
