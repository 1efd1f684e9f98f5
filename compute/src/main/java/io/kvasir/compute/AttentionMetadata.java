package io.kvasir.compute;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Which rows of a batch belong to which sequence, and where their keys and values lie.
///
/// Rows of a sequence are consecutive; its row `i` is at position `table.length() + i`. A sequence
/// with one row is decoding; there is no other mode. Decoding sequences that share blocks should
/// stand beside each other: kernels look for shared prefixes among neighbours. Filled anew for each
/// step with [#clear] and [#add], without allocating once it has grown to the largest batch. Read
/// by kernels, changed by the owner between steps.
public final class AttentionMetadata {
  private final KvLayout layout;
  private final KvStorage storage;
  private final KvBasis[] bases;
  private final PageBounds pageBounds;
  private @Nullable AttentionObserver observer;
  private @Nullable BlockTable[] tables = new BlockTable[4];
  private @Nullable PageSkips[] skips = new PageSkips[4];
  private int[] firstRow = new int[5];
  private int[] positions = new int[16];
  private int[] sequenceOfRow = new int[16];
  private int sequences;
  private long step;

  /// @param profile what formats that centre keys take from them
  public AttentionMetadata(KvLayout layout, KvStorage storage, KvProfile profile) {
    this.layout = layout;
    this.storage = storage;
    this.pageBounds = new PageBounds(layout);
    this.bases = new KvBasis[layout.layerCount()];
    for (int layer = 0; layer < bases.length; layer++) {
      bases[layer] = KvBasis.of(layout.kv(layer), profile, layer);
    }
  }

  /// Metadata of a cache whose keys are not centred.
  public AttentionMetadata(KvLayout layout, KvStorage storage) {
    this(layout, storage, KvProfile.NONE);
  }

  /// The basis in which a layer's rows are stored.
  ///
  /// @param layer number in the layout
  public KvBasis basis(int layer) {
    return bases[layer];
  }

  /// Who looks on, or null.
  public @Nullable AttentionObserver observer() {
    return observer;
  }

  /// Lets someone look on while batches are computed; null for nobody.
  public void observe(@Nullable AttentionObserver value) {
    observer = value;
  }

  public KvLayout layout() {
    return layout;
  }

  /// Where bounds of the keys of pages stand.
  public PageBounds pageBounds() {
    return pageBounds;
  }

  public KvStorage storage() {
    return storage;
  }

  /// Forgets all sequences.
  public void clear() {
    Arrays.fill(tables, 0, sequences, null);
    Arrays.fill(skips, 0, sequences, null);
    sequences = 0;
    step++;
  }

  /// How often this was cleared: tells one batch from the next.
  public long step() {
    return step;
  }

  /// Adds a sequence that computes its next `rows` positions in this step.
  ///
  /// @throws IllegalArgumentException where the table has not reserved them
  public void add(BlockTable table, int rows) {
    add(table, rows, null);
  }

  /// Adds a sequence of which some rows leave pages out.
  ///
  /// @param pages which rows do; null for none
  public void add(BlockTable table, int rows, @Nullable PageSkips pages) {
    int start = table.length();
    if (rows <= 0 || start + rows > table.reserved()) {
      throw new IllegalArgumentException("cannot compute " + rows + " rows of " + table);
    }
    if (pages != null
        && pageBounds.blocks(pages.marginPages(start + rows)) > table.marginBlocks()) {
      throw new IllegalArgumentException("no margin for the bounds of the pages of " + table);
    }
    if (sequences + 1 >= firstRow.length) {
      tables = Arrays.copyOf(tables, 2 * sequences);
      skips = Arrays.copyOf(skips, 2 * sequences);
      firstRow = Arrays.copyOf(firstRow, 2 * sequences + 1);
    }
    int first = firstRow[sequences];
    if (first + rows > positions.length) {
      int capacity = Math.max(2 * positions.length, first + rows);
      positions = Arrays.copyOf(positions, capacity);
      sequenceOfRow = Arrays.copyOf(sequenceOfRow, capacity);
    }
    for (int i = 0; i < rows; i++) {
      positions[first + i] = start + i;
      sequenceOfRow[first + i] = sequences;
    }
    tables[sequences] = table;
    skips[sequences] = pages;
    sequences++;
    firstRow[sequences] = first + rows;
  }

  public int sequences() {
    return sequences;
  }

  /// Rows over all sequences.
  public int rows() {
    return firstRow[sequences];
  }

  public BlockTable table(int sequence) {
    BlockTable table = tables[sequence];
    if (table == null) {
      throw new IndexOutOfBoundsException("no sequence " + sequence + " of " + sequences);
    }
    return table;
  }

  /// Which rows of a sequence leave pages out, or null.
  public @Nullable PageSkips skips(int sequence) {
    return skips[sequence];
  }

  /// How many pages a row leaves out in a layer; 0 where it reads everything that it sees.
  ///
  /// @param layer number in the layout
  public int skippedPages(int layer, int row) {
    PageSkips pages = skips[sequenceOfRow[row]];
    boolean whole = table(sequenceOfRow[row]).pruned() == null && layout.groupOf(layer).isFull();
    return pages == null || !whole ? 0 : pages.skipped(positions[row]);
  }

  public int firstRow(int sequence) {
    return firstRow[sequence];
  }

  public int rowCount(int sequence) {
    return firstRow[sequence + 1] - firstRow[sequence];
  }

  public int sequenceOfRow(int row) {
    return sequenceOfRow[row];
  }

  /// The position of each row in its sequence; valid up to [#rows].
  public int[] positions() {
    return positions;
  }

  /// The highest position in the batch.
  public int lastPosition() {
    int last = 0;
    for (int i = 0; i < sequences; i++) {
      last = Math.max(last, positions[firstRow[i + 1] - 1]);
    }
    return last;
  }
}
