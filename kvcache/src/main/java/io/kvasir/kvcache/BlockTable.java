package io.kvasir.kvcache;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The blocks of one sequence: for each layer group, which block holds which positions.
///
/// Position `p` of a group lies in the block at index `p / S`, slot `p % S`. A window group lets go
/// of the blocks that left its window, so its blocks start at [#firstBlock] rather than at 0.
/// Holding a table is what keeps its blocks from being freed; it ends with [KvCache#release].
///
/// Blocks that are full belong to nodes of the prefix tree, of which the table knows the last, its
/// *tip*; those behind are private to the table.
///
/// What pruning leaves of a table stands outside of the tree: [#pruned] has the rows that were kept
/// of the beginning, the blocks behind are private to the table, full or not, and its full groups
/// start behind the pruned positions.
///
/// Tables are created and changed by their [KvCache] only, on its owner thread; kernels read them
/// during a step, in which nothing changes.
public final class BlockTable {
  private final KvCache cache;
  private final long id;
  private final int[][] blocks;
  private final int[] start;
  private final int[] firstBlock;
  private final int[] endBlock;
  private int length;
  private int reserved;
  private int sharedTo = Integer.MAX_VALUE;
  private int tip;
  private int ordinal;
  private @Nullable Promotion promotion;
  private @Nullable PrunedPages pages;
  private int[] margin = {};
  private int marginBlocks;
  private boolean released;

  /// @param id of this table among all that its cache ever had
  BlockTable(KvCache cache, long id, int groups, int tip) {
    this.cache = cache;
    this.id = id;
    this.blocks = new int[groups][8];
    this.start = new int[groups];
    this.firstBlock = new int[groups];
    this.endBlock = new int[groups];
    this.tip = tip;
  }

  /// Positions whose keys and values are computed: `0 .. length - 1`.
  public int length() {
    return length;
  }

  /// Positions for which blocks are held, computed or about to be.
  public int reserved() {
    return reserved;
  }

  /// Where the positions end that others may find: what is computed behind is the table's own; see
  /// [KvCache#shareUpTo].
  public int sharedTo() {
    return sharedTo;
  }

  void setSharedTo(int position) {
    sharedTo = position;
  }

  /// What pruning left of the beginning, or null where nothing was pruned.
  public @Nullable PrunedTokens pruned() {
    return pages;
  }

  /// Blocks beside those of positions, in which whoever reads the table keeps what it knows of
  /// them; see [KvCache#reserveMargin].
  public int marginBlocks() {
    return marginBlocks;
  }

  /// The id of a block of the margin, counted from 0.
  public int marginBlock(int index) {
    if (index >= marginBlocks) {
      throw new IndexOutOfBoundsException("margin block %d of %d".formatted(index, marginBlocks));
    }
    return margin[index];
  }

  void appendMargin(int block) {
    if (marginBlocks == margin.length) {
      margin = Arrays.copyOf(margin, Math.max(4, 2 * marginBlocks));
    }
    margin[marginBlocks++] = block;
  }

  int removeMargin() {
    return margin[--marginBlocks];
  }

  @Nullable PrunedPages pages() {
    return pages;
  }

  void setPages(@Nullable PrunedPages pages) {
    this.pages = pages;
  }

  /// Index of the oldest block the group still holds.
  public int firstBlock(int group) {
    return firstBlock[group];
  }

  /// One past the index of the newest block of the group.
  public int endBlock(int group) {
    return endBlock[group];
  }

  /// The id of the block at `index` of the group.
  ///
  /// @throws IndexOutOfBoundsException where the group does not hold that block (any more)
  public int block(int group, int index) {
    if (index < firstBlock[group] || index >= endBlock[group]) {
      throw new IndexOutOfBoundsException(
          "group %d holds blocks %d to %d, not %d"
              .formatted(group, firstBlock[group], endBlock[group] - 1, index));
    }
    return blocks[group][start[group] + index - firstBlock[group]];
  }

  /// Copies the ids of all blocks that the group holds, from the oldest on, into `into` from `at`
  /// on.
  public void copyBlocks(int group, int[] into, int at) {
    System.arraycopy(blocks[group], start[group], into, at, endBlock[group] - firstBlock[group]);
  }

  /// An order in which tables that share their first blocks in the group stand beside each other.
  public int compareBlocks(int group, BlockTable other) {
    int held = endBlock[group] - firstBlock[group];
    int otherHeld = other.endBlock[group] - other.firstBlock[group];
    return Arrays.compare(
        blocks[group],
        start[group],
        start[group] + held,
        other.blocks[group],
        other.start[group],
        other.start[group] + otherHeld);
  }

  /// How many blocks of the group, from the oldest on, this table and another hold alike; 0 where
  /// they do not begin at the same position.
  public int sharedBlocks(int group, BlockTable other) {
    if (firstBlock[group] != other.firstBlock[group]) {
      return 0;
    }
    int[] own = blocks[group];
    int[] others = other.blocks[group];
    int held = endBlock[group] - firstBlock[group];
    int most = Math.min(held, other.endBlock[group] - other.firstBlock[group]);
    int from = start[group];
    int otherFrom = other.start[group];
    int different = Arrays.mismatch(own, from, from + most, others, otherFrom, otherFrom + most);
    return different < 0 ? most : different;
  }

  /// Blocks held over all groups; a shared one counts in each table.
  public int blockCount() {
    int count = pages == null ? 0 : pages.blockCount();
    for (int group = 0; group < blocks.length; group++) {
      count += endBlock[group] - firstBlock[group];
    }
    return count;
  }

  public boolean isReleased() {
    return released;
  }

  KvCache cache() {
    return cache;
  }

  long id() {
    return id;
  }

  /// A copy of the group's block ids, from the oldest that it holds.
  int[] blocks(int group) {
    int held = endBlock[group] - firstBlock[group];
    return Arrays.copyOfRange(blocks[group], start[group], start[group] + held);
  }

  /// The node of the last full block; the root of the sequence's salt where none is full.
  int tip() {
    return tip;
  }

  void setTip(int node) {
    tip = node;
  }

  /// What is filling the table's reserved blocks, or null.
  @Nullable Promotion promotion() {
    return promotion;
  }

  void setPromotion(@Nullable Promotion value) {
    promotion = value;
  }

  /// Place in the cache's list of live tables.
  int ordinal() {
    return ordinal;
  }

  void setOrdinal(int value) {
    ordinal = value;
  }

  /// Takes over all block ids of another table.
  void copyBlocks(BlockTable source) {
    for (int group = 0; group < blocks.length; group++) {
      blocks[group] = source.blocks[group].clone();
      start[group] = source.start[group];
      firstBlock[group] = source.firstBlock[group];
      endBlock[group] = source.endBlock[group];
    }
  }

  /// Becomes what another table is, which ends.
  void takeOver(BlockTable other) {
    System.arraycopy(other.blocks, 0, blocks, 0, blocks.length);
    System.arraycopy(other.start, 0, start, 0, start.length);
    System.arraycopy(other.firstBlock, 0, firstBlock, 0, firstBlock.length);
    System.arraycopy(other.endBlock, 0, endBlock, 0, endBlock.length);
    tip = other.tip;
    pages = other.pages;
    length = other.length;
    reserved = other.reserved;
  }

  void append(int group, int block) {
    int held = endBlock[group] - firstBlock[group];
    if (start[group] + held == blocks[group].length) {
      // What a window has left behind makes room, or else the array grows.
      int[] from = blocks[group];
      int[] into = start[group] > from.length / 2 ? from : new int[2 * from.length];
      System.arraycopy(from, start[group], into, 0, held);
      blocks[group] = into;
      start[group] = 0;
    }
    blocks[group][start[group] + held] = block;
    endBlock[group]++;
  }

  /// Removes and returns the oldest block.
  int removeFirst(int group) {
    int block = block(group, firstBlock[group]);
    firstBlock[group]++;
    start[group]++;
    return block;
  }

  /// Removes and returns the newest block.
  int removeLast(int group) {
    int block = block(group, endBlock[group] - 1);
    endBlock[group]--;
    return block;
  }

  void replace(int group, int index, int block) {
    blocks[group][start[group] + index - firstBlock[group]] = block;
  }

  /// Starts an empty group at block `index`.
  void startAt(int group, int index) {
    start[group] = 0;
    firstBlock[group] = index;
    endBlock[group] = index;
  }

  void setLength(int length) {
    this.length = length;
  }

  void setReserved(int reserved) {
    this.reserved = reserved;
  }

  void markReleased() {
    released = true;
  }

  @Override
  public String toString() {
    return "BlockTable[length="
        + length
        + " reserved="
        + reserved
        + " blocks="
        + blockCount()
        + "]";
  }
}
