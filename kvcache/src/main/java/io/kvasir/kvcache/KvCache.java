package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.KvStorage;
import java.util.ArrayList;
import java.util.List;

/// The paged key-value cache: hands out blocks to sequences and takes them back.
///
/// The life of a sequence is `open`, then for each step `reserve` before the model runs and
/// `commit` after it, then `release`. Between reserve and commit the attention kernel writes the
/// new rows into the slots that the table names. `fork` shares a sequence's blocks in time
/// independent of its length, `truncate` rewinds it. The idea of fixed-size blocks behind a table
/// is PagedAttention's (Kwon et al., SOSP 2023).
///
/// **Invariants**, proven at any moment by [#verify] and named in its messages:
///
/// - I1 free and used block ids partition the pool; no id is free twice.
/// - I2 a block's references equal the number of live tables that hold it.
/// - I3 a block without references is free, one with references is not.
/// - I4 only the last block of a group may be partly filled, and a block that is shared is full.
/// - I5 in each group the held blocks are exactly those from the first that a query at `length`
///   still sees to the one that holds position `reserved - 1`.
///
/// **Threads.** One thread owns the cache and makes all calls; the first caller becomes the owner
/// and every call asserts it. Kernels on other threads read tables and bytes during a step, while
/// the owner waits for them.
public final class KvCache implements AutoCloseable {
  private final KvCacheConfig config;
  private final KvLayout layout;
  private final KvStorage storage;
  private final BlockPool pool;
  private final List<BlockTable> tables = new ArrayList<>();
  private Thread owner;

  /// @param storage bytes for at least `config.blockCount()` blocks; closed with the cache
  public KvCache(KvCacheConfig config, KvStorage storage) {
    this.config = config;
    this.layout = config.layout();
    if (storage.blockBytes() != layout.blockBytes() || storage.blockCount() < config.blockCount()) {
      throw new IllegalArgumentException(
          "storage of %d blocks of %d bytes does not fit a cache of %d blocks of %d bytes"
              .formatted(
                  storage.blockCount(),
                  storage.blockBytes(),
                  config.blockCount(),
                  layout.blockBytes()));
    }
    this.storage = storage;
    this.pool = new BlockPool(config.blockCount());
    this.owner = Thread.currentThread();
  }

  public KvCacheConfig config() {
    return config;
  }

  public KvLayout layout() {
    return layout;
  }

  public KvStorage storage() {
    return storage;
  }

  public int freeBlocks() {
    return pool.freeCount();
  }

  /// Makes the calling thread the owner: once, when the engine's thread takes over from the one
  /// that assembled it.
  public void adopt() {
    owner = Thread.currentThread();
  }

  /// A table for a new, empty sequence.
  public BlockTable open() {
    checkOwner();
    BlockTable table = new BlockTable(this, layout.groups().size());
    tables.add(table);
    return table;
  }

  /// Makes room for `tokens` more positions after `table.length()`. All or nothing: where blocks
  /// are short, nothing changes.
  ///
  /// Room that is already there, from an earlier call or a partly filled block, is used first.
  public Reservation reserve(BlockTable table, int tokens) {
    checkLive(table);
    if (tokens < 0) {
      throw new IllegalArgumentException("cannot reserve " + tokens + " tokens");
    }
    int end = Math.max(table.reserved(), Math.addExact(table.length(), tokens));
    int endBlock = blocksFor(end);
    int wanted = 0;
    for (int group = 0; group < layout.groups().size(); group++) {
      wanted += Math.max(0, endBlock - table.endBlock(group));
    }
    if (wanted > pool.freeCount()) {
      return new Reservation.Insufficient(wanted, pool.freeCount());
    }
    for (int group = 0; group < layout.groups().size(); group++) {
      while (table.endBlock(group) < endBlock) {
        table.append(group, pool.take());
      }
    }
    table.setReserved(end);
    return Reservation.Granted.GRANTED;
  }

  /// Declares that the next `tokens` reserved positions are computed and written. Window groups
  /// free the blocks that no later query can see.
  public void commit(BlockTable table, int tokens) {
    checkLive(table);
    int length = table.length() + tokens;
    if (tokens < 0 || length > table.reserved()) {
      throw new IllegalArgumentException(
          "cannot commit %d tokens after %d: %d are reserved"
              .formatted(tokens, table.length(), table.reserved()));
    }
    table.setLength(length);
    for (LayerGroup group : layout.groups()) {
      int first = group.firstVisible(length) / layout.blockTokens();
      while (table.firstBlock(group.index()) < Math.min(first, table.endBlock(group.index()))) {
        pool.release(table.removeFirst(group.index()));
      }
    }
  }

  /// A second sequence with the same past. Full blocks are shared; of a partly filled last block
  /// the fork gets a copy, so neither sees what the other writes.
  ///
  /// @return the fork, or [Forked.NoRoom] where no block is free for that copy
  public Forked fork(BlockTable source) {
    checkLive(source);
    boolean partial = source.length() % layout.blockTokens() != 0;
    int wanted = partial ? layout.groups().size() : 0;
    if (wanted > pool.freeCount()) {
      return new Forked.NoRoom(wanted, pool.freeCount());
    }
    BlockTable fork = open();
    int endBlock = blocksFor(source.length());
    for (int group = 0; group < layout.groups().size(); group++) {
      fork.startAt(group, source.firstBlock(group));
      for (int index = source.firstBlock(group); index < endBlock; index++) {
        int block = source.block(group, index);
        if (partial && index == endBlock - 1) {
          int copy = pool.take();
          storage.copy(block, copy);
          fork.append(group, copy);
        } else {
          pool.retain(block);
          fork.append(group, block);
        }
      }
    }
    fork.setLength(source.length());
    fork.setReserved(source.length());
    return new Forked.Table(fork);
  }

  /// The outcome of [KvCache#fork].
  public sealed interface Forked {
    /// The new sequence.
    record Table(BlockTable table) implements Forked {}

    /// Too few blocks are free for the copies; nothing was changed.
    record NoRoom(int wantedBlocks, int freeBlocks) implements Forked {}
  }

  /// Rewinds the sequence to its first `length` positions and gives back the blocks behind them.
  ///
  /// @return the length that could be kept: `length`, or 0 where a window group has already let go
  ///   of positions that a query at `length` would see; also 0 where the block that would be
  ///   written next is shared with a fork and no block is free for a copy
  public int truncate(BlockTable table, int length) {
    checkLive(table);
    if (length < 0 || length > table.length()) {
      throw new IllegalArgumentException(
          "cannot rewind a sequence of %d tokens to %d".formatted(table.length(), length));
    }
    int kept = length;
    for (LayerGroup group : layout.groups()) {
      int first = group.firstVisible(length) / layout.blockTokens();
      if (first < table.firstBlock(group.index())) {
        kept = 0;
      }
    }
    dropFrom(table, blocksFor(kept), kept == 0);
    table.setLength(kept);
    table.setReserved(kept);
    return kept % layout.blockTokens() == 0 || ownTail(table) ? kept : truncate(table, 0);
  }

  /// Drops the blocks from index `endBlock` on; an emptied table starts at block 0 again.
  private void dropFrom(BlockTable table, int endBlock, boolean restart) {
    for (int group = 0; group < layout.groups().size(); group++) {
      while (table.endBlock(group) > Math.max(endBlock, table.firstBlock(group))) {
        pool.release(table.removeLast(group));
      }
      if (restart) {
        table.startAt(group, 0);
      }
    }
  }

  /// Gives the table private copies of a partly filled last block that it shares.
  private boolean ownTail(BlockTable table) {
    int shared = 0;
    for (int group = 0; group < layout.groups().size(); group++) {
      shared += pool.references(table.block(group, table.endBlock(group) - 1)) > 1 ? 1 : 0;
    }
    if (shared > pool.freeCount()) {
      return false;
    }
    for (int group = 0; group < layout.groups().size(); group++) {
      int block = table.block(group, table.endBlock(group) - 1);
      if (pool.references(block) > 1) {
        int copy = pool.take();
        storage.copy(block, copy);
        table.replaceLast(group, copy);
        pool.release(block);
      }
    }
    return true;
  }

  /// Ends the sequence and gives its blocks back. The table cannot be used any more.
  public void release(BlockTable table) {
    checkLive(table);
    dropFrom(table, 0, true);
    table.setLength(0);
    table.setReserved(0);
    table.markReleased();
    tables.remove(table);
  }

  public KvCacheStats stats() {
    checkOwner();
    int shared = 0;
    for (int block = 0; block < pool.capacity(); block++) {
      shared += pool.references(block) > 1 ? 1 : 0;
    }
    long tokens = 0;
    for (BlockTable table : tables) {
      tokens += table.length();
    }
    return new KvCacheStats(
        pool.capacity(),
        pool.capacity() - pool.freeCount(),
        pool.freeCount(),
        shared,
        tables.size(),
        tokens,
        layout.blockBytes(),
        storage.residentBytes());
  }

  /// Proves the invariants.
  ///
  /// @throws IllegalStateException naming the invariant that does not hold and the block or table
  public void verify() {
    checkOwner();
    pool.verify();
    int[] holders = new int[pool.capacity()];
    for (BlockTable table : tables) {
      for (LayerGroup group : layout.groups()) {
        verifyGroup(table, group, holders);
      }
    }
    for (int block = 0; block < holders.length; block++) {
      if (holders[block] != pool.references(block)) {
        throw new IllegalStateException(
            "I2: block %d has %d references but %d tables hold it"
                .formatted(block, pool.references(block), holders[block]));
      }
    }
  }

  private void verifyGroup(BlockTable table, LayerGroup group, int[] holders) {
    int g = group.index();
    int first = group.firstVisible(table.length()) / layout.blockTokens();
    int end = blocksFor(table.reserved());
    if (table.endBlock(g) != end || table.firstBlock(g) != Math.min(first, end)) {
      throw new IllegalStateException(
          "I5: group %d of %s holds blocks %d to %d and should hold %d to %d"
              .formatted(g, table, table.firstBlock(g), table.endBlock(g) - 1, first, end - 1));
    }
    for (int index = table.firstBlock(g); index < end; index++) {
      int block = table.block(g, index);
      holders[block]++;
      boolean full = (long) (index + 1) * layout.blockTokens() <= table.length();
      if (!full && pool.references(block) > 1) {
        throw new IllegalStateException("I4: block " + block + " is shared but not full");
      }
    }
  }

  /// Frees the storage. Live tables end with it.
  @Override
  public void close() {
    storage.close();
  }

  private int blocksFor(int tokens) {
    return (int) (((long) tokens + layout.blockTokens() - 1) / layout.blockTokens());
  }

  private void checkLive(BlockTable table) {
    checkOwner();
    if (table.cache() != this) {
      throw new IllegalArgumentException("the table belongs to another cache");
    }
    if (table.isReleased()) {
      throw new IllegalStateException("the table was released");
    }
  }

  private void checkOwner() {
    if (!Thread.currentThread().equals(owner)) {
      throw new IllegalStateException(
          "the cache belongs to thread '%s', not to '%s'"
              .formatted(owner.getName(), Thread.currentThread().getName()));
    }
  }
}
