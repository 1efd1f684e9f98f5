package io.kvasir.compute;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The rows of one layer: written to all places that keep them, and read by a query from the place
/// that the rules name.
///
/// A query at position `p` of a kv head reads, in this order: what pruning kept of the first
/// positions, then each later position up to `p`. A position is read exactly where the layer's
/// [ExactRows] say so, else from its codes.
final class ReferenceRows {
  private static final int[] NONE = {};

  private final AttentionMetadata batch;
  private final AttentionSpec spec;
  private final KvLayout layout;
  private final LayerGroup codes;
  private final @Nullable LayerGroup tail;
  private final @Nullable LayerGroup sinks;
  private final LayerKv kv;
  private final ExactRows exact;
  private int[] positions = NONE;
  private int[] keptRows = NONE;
  private int count;
  private @Nullable BlockTable table;
  private int head;
  private int last;

  ReferenceRows(AttentionMetadata batch, AttentionSpec spec) {
    this.batch = batch;
    this.spec = spec;
    this.layout = batch.layout();
    this.codes = layout.groupOf(spec.cacheLayer());
    this.tail = layout.exactGroup(spec.cacheLayer(), LayerGroup.Role.TAIL);
    this.sinks = layout.exactGroup(spec.cacheLayer(), LayerGroup.Role.SINKS);
    this.kv = layout.kv(spec.cacheLayer());
    this.exact = kv.exact();
  }

  AttentionMetadata batch() {
    return batch;
  }

  AttentionSpec spec() {
    return spec;
  }

  /// Encodes the batch's new rows.
  void store(float[] k, float @Nullable [] v) {
    float[] row = new float[Math.max(spec.keyDim(), spec.valueDim())];
    KvBasis basis = batch.basis(spec.cacheLayer());
    for (int r = 0; r < batch.rows(); r++) {
      BlockTable of = batch.table(batch.sequenceOfRow(r));
      int position = batch.positions()[r];
      for (int h = 0; h < spec.kvHeads(); h++) {
        int from = r * spec.kvHeads() + h;
        System.arraycopy(k, from * spec.keyDim(), row, 0, spec.keyDim());
        basis.enterKeys(row, 0, spec.keyDim(), h);
        write(of, position, h, true, row);
        if (v != null) {
          System.arraycopy(v, from * spec.valueDim(), row, 0, spec.valueDim());
          basis.turnValues(row, 0, spec.valueDim());
          write(of, position, h, false, row);
        }
      }
    }
    for (int s = 0; s < batch.sequences(); s++) {
      int start = batch.positions()[batch.firstRow(s)];
      for (int h = 0; h < spec.kvHeads(); h++) {
        encodeTiles(batch.table(s), start, start + batch.rowCount(s), h, true);
        if (v != null) {
          encodeTiles(batch.table(s), start, start + batch.rowCount(s), h, false);
        }
      }
    }
  }

  private void write(BlockTable of, int position, int h, boolean key, float[] row) {
    if (format(codes, key).tileTokens(kind(key)) == 1) {
      put(codes, of, position, h, key, row);
    }
    if (tail != null) {
      put(tail, of, position, h, key, row);
    }
    if (sinks != null && position < sinks.limit()) {
      put(sinks, of, position, h, key, row);
    }
  }

  private void put(LayerGroup group, BlockTable of, int position, int h, boolean key, float[] row) {
    KvPlane plane = plane(group, of, position, h, key);
    format(group, key).encode(row, 0, plane, position % layout.blockTokens());
  }

  /// Encodes the tiles that the positions `start .. end - 1` complete from the exact tail.
  private void encodeTiles(BlockTable of, int start, int end, int h, boolean key) {
    KvFormat format = format(codes, key);
    int tokens = format.tileTokens(kind(key));
    if (tokens == 1 || tail == null) {
      return;
    }
    int dim = dim(key);
    float[] rows = new float[tokens * dim];
    for (int tile = start / tokens * tokens; tile + tokens <= end; tile += tokens) {
      for (int i = 0; i < tokens; i++) {
        KvPlane plane = plane(tail, of, tile + i, h, key);
        format(tail, key).decode(plane, (tile + i) % layout.blockTokens(), rows, i * dim);
      }
      KvPlane plane = plane(codes, of, tile, h, key);
      format.encode(rows, 0, plane, tile % layout.blockTokens());
    }
  }

  /// Lists the rows that a query reads.
  void open(BlockTable of, int kvHead, int position) {
    table = of;
    head = kvHead;
    last = position;
    count = 0;
    PrunedTokens pruned = codes.isFull() ? of.pruned() : null;
    int live = pruned == null ? codes.firstVisible(position) : pruned.tokens();
    for (int p = 0; pruned != null && p < Math.min(exact.sinks(), live); p++) {
      add(p, -1);
    }
    for (int i = 0; pruned != null && i < pruned.count(spec.cacheLayer(), kvHead); i++) {
      add(pruned.position(spec.cacheLayer(), kvHead, i), i);
    }
    for (int p = live; p <= position; p++) {
      add(p, -1);
    }
  }

  private void add(int position, int keptRow) {
    if (count == positions.length) {
      positions = Arrays.copyOf(positions, Math.max(64, 2 * count));
      keptRows = Arrays.copyOf(keptRows, positions.length);
    }
    positions[count] = position;
    keptRows[count++] = keptRow;
  }

  /// Leaves out the rows of pages other than `pages`, which ascend.
  void keepPages(int[] pages) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (Arrays.binarySearch(pages, positions[i] / PageSkips.PAGE) >= 0) {
        positions[kept] = positions[i];
        keptRows[kept++] = keptRows[i];
      }
    }
    count = kept;
  }

  /// Reads the codes of a key, whether there is an exact copy beside them or not.
  void readCodes(BlockTable of, int kvHead, int position, float[] row) {
    KvPlane plane = plane(codes, of, position, kvHead, true);
    format(codes, true).decode(plane, position % layout.blockTokens(), row, 0);
  }

  /// Rows that the query reads.
  int count() {
    return count;
  }

  int position(int index) {
    return positions[index];
  }

  void readKey(int index, float[] row) {
    read(index, true, row);
  }

  void readValue(int index, float[] row) {
    read(index, kv.valueDim() == 0, row);
  }

  private void read(int index, boolean key, float[] row) {
    BlockTable of = Objects.requireNonNull(table);
    int blockTokens = layout.blockTokens();
    if (keptRows[index] >= 0) {
      int kept = keptRows[index];
      KvPlane plane = keptPlane(of, kept / blockTokens, key);
      format(codes, key).decode(plane, kept % blockTokens, row, 0);
      return;
    }
    int position = positions[index];
    LayerGroup group = codes;
    if (sinks != null && position < exact.sinks()) {
      group = sinks;
    } else if (tail != null && position >= exact.exactFrom(last)) {
      group = tail;
    }
    format(group, key)
        .decode(plane(group, of, position, head, key), position % blockTokens, row, 0);
  }

  private KvPlane keptPlane(BlockTable of, int page, boolean key) {
    PrunedTokens pruned = Objects.requireNonNull(of.pruned());
    int layer = spec.cacheLayer();
    long offset = key ? pruned.keyOffset(layer, head, page) : pruned.valueOffset(layer, head, page);
    return plane(pruned.block(layer, head, page), offset, key);
  }

  private KvPlane plane(LayerGroup group, BlockTable of, int position, int h, boolean key) {
    long offset =
        key
            ? layout.keyOffset(group, spec.cacheLayer(), h)
            : layout.valueOffset(group, spec.cacheLayer(), h);
    return plane(of.block(group.index(), position / layout.blockTokens()), offset, key);
  }

  private KvPlane plane(int block, long offset, boolean key) {
    HostStorage storage = (HostStorage) batch.storage();
    return new KvPlane(
        storage.segment(block),
        storage.offset(block) + offset,
        layout.blockTokens(),
        dim(key),
        kind(key));
  }

  private int dim(boolean key) {
    return key ? spec.keyDim() : spec.valueDim();
  }

  private PlaneKind kind(boolean key) {
    return key ? kv.keyKind() : PlaneKind.VALUES;
  }

  private KvFormat format(LayerGroup group, boolean key) {
    LayerKv stored = layout.kv(group, spec.cacheLayer());
    return key ? stored.keyFormat() : stored.valueFormat();
  }
}
