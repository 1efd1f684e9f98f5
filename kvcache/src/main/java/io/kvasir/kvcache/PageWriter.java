package io.kvasir.kvcache;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// Copies kept rows from the blocks and pages of a table into new pages, code by code.
///
/// Where blocks are not in this process's memory, each is moved as a whole: a source block once for
/// each run of rows that it has of a head, a target block once for each run of pages.
final class PageWriter implements AutoCloseable {
  private static final int NONE = -1;

  private final KvLayout layout;
  private final KvStorage storage;
  private final KvStorage into;
  private final BlockTable from;
  private final PrunedPages to;
  private final @Nullable PrunedPages before;
  private final Arena arena = Arena.ofConfined();
  private @Nullable MemorySegment sourceCopy;
  private @Nullable MemorySegment targetCopy;
  private final BitSet written = new BitSet();
  private int source = NONE;
  private int target = NONE;
  private MemorySegment sourceBytes = MemorySegment.NULL;
  private MemorySegment targetBytes = MemorySegment.NULL;

  /// @param storage holds the blocks of `from`
  /// @param into gets those of `to`
  PageWriter(KvLayout layout, KvStorage storage, KvStorage into, BlockTable from, PrunedPages to) {
    this.layout = layout;
    this.into = into;
    this.storage = storage;
    this.from = from;
    this.to = to;
    this.before = from.pages();
  }

  void write() {
    for (LayerGroup group : PrunedPages.prunedGroups(layout)) {
      for (int layer : group.layers()) {
        for (int head = 0; head < layout.kv(layer).kvHeads(); head++) {
          write(group, layer, head);
        }
      }
    }
    flush();
  }

  private void write(LayerGroup group, int layer, int head) {
    int blockTokens = layout.blockTokens();
    int rows = to.count(layer, head);
    for (int row = 0; row < rows; row++) {
      int position = to.position(layer, head, row);
      int page = row / blockTokens;
      openTarget(to.block(layer, head, page));
      long key;
      long value;
      int slot;
      if (before != null && position < before.tokens()) {
        int old = before.row(layer, head, position);
        int oldPage = old / blockTokens;
        openSource(before.block(layer, head, oldPage));
        key = before.keyOffset(layer, head, oldPage);
        value = before.valueOffset(layer, head, oldPage);
        slot = old % blockTokens;
      } else {
        openSource(from.block(group.index(), position / blockTokens));
        key = layout.keyOffset(layer, head);
        value = layout.valueOffset(layer, head);
        slot = position % blockTokens;
      }
      LayerKv kv = layout.kv(layer);
      Row keyRow = new Row(kv.keyFormat(), kv.keyDim(), kv.keyKind(), slot, row % blockTokens);
      copy(keyRow, key, to.keyOffset(layer, head, page));
      if (kv.valueDim() > 0) {
        Row valueRow =
            new Row(kv.valueFormat(), kv.valueDim(), PlaneKind.VALUES, slot, row % blockTokens);
        copy(valueRow, value, to.valueOffset(layer, head, page));
      }
    }
  }

  /// What a row is, and its slots in the source's and in the target's plane.
  private record Row(KvFormat format, int dim, PlaneKind kind, int slot, int toSlot) {}

  private void copy(Row row, long offset, long toOffset) {
    int blockTokens = layout.blockTokens();
    row.format()
        .copyRow(
            new KvPlane(sourceBytes, offset, blockTokens, row.dim(), row.kind()),
            row.slot(),
            new KvPlane(targetBytes, toOffset, blockTokens, row.dim(), row.kind()),
            row.toSlot());
  }

  private void openSource(int block) {
    if (block == source) {
      return;
    }
    MemorySegment view = storage.view(block);
    if (view == null) {
      sourceCopy = sourceCopy == null ? allocate() : sourceCopy;
      storage.read(block, sourceCopy);
      view = sourceCopy;
    }
    sourceBytes = view;
    source = block;
  }

  private void openTarget(int block) {
    if (block == target) {
      return;
    }
    flush();
    MemorySegment view = into.view(block);
    if (view == null) {
      targetCopy = targetCopy == null ? allocate() : targetCopy;
      if (written.get(block)) {
        // A page that found room beside the larger ones before it.
        into.read(block, targetCopy);
      }
      written.set(block);
      view = targetCopy;
    }
    targetBytes = view;
    target = block;
  }

  private void flush() {
    if (target != NONE && targetCopy != null) {
      into.write(target, targetCopy);
    }
  }

  private MemorySegment allocate() {
    return arena.allocate(layout.blockBytes(), 64);
  }

  @Override
  public void close() {
    arena.close();
  }
}
