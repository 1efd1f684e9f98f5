package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.KvStorage;
import io.kvasir.kvcache.tier.OffloadStats;
import io.kvasir.kvcache.tier.Offloader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// The paged key-value cache: hands out blocks to sequences, shares what they have in common, and
/// keeps what may come again.
///
/// The life of a sequence is [#lookup] (or [#open], which shares nothing by content), then for each
/// step [#reserve] before the model runs and [#commit] after it, then [#release]. Between reserve
/// and commit the attention kernel writes the new rows into the slots that the table names. A block
/// that is full joins the prefix tree: other sequences find it while this one runs and after it has
/// ended. [#fork] shares a sequence's past in time independent of its length, [#truncate] rewinds
/// it, [#pin] keeps a prefix. Blocks behind a table are PagedAttention's idea (Kwon et al., SOSP
/// 2023), the tree RadixAttention's (Zheng et al., 2024).
///
/// **Invariants**, proven at any moment by [#verify] and named in its messages:
///
/// - I1 free and taken block ids partition the pool; no id is free twice.
/// - I2 a node's pins equal the tables and pins that end there plus its pinned children; a window
///   block's holders equal the tables and pins in whose window it lies.
/// - I3 a taken block is private to one table, its margin included, or stands in one node, or holds
///   pages of as many pruned tables as say so; only one of these.
/// - I4 only full blocks stand in nodes; a table's blocks before its last partly filled one are its
///   nodes' blocks, those of a pruned table all its own.
/// - I5 a pinned node has a pinned parent; a cached one has all nodes before it.
/// - I6 the cached blocks counted are those of idle nodes and the loose ones, and the policy's
///   victim is an idle leaf.
/// - I7 each findable node is found by its own tokens and is the only one with them.
/// - I8 each group of a table holds exactly the blocks from the first that a query at `length`
///   still sees (of a pruned table a full group: the first behind the pruned positions) to the one
///   with position `reserved - 1`, a bounded group to that of its last position at most.
///
/// **Threads.** One thread owns the cache and makes all calls; the one that made it is the owner
/// until another [#adopt]s it, and every call asserts it. Kernels on other threads read tables and
/// bytes during a step, while the owner waits for them.
public final class KvCache implements AutoCloseable {
  /// Most bytes of kept rows that [#prune] moves by way of memory outside of the pool, where they
  /// find no room in it beside what they were.
  public static final long STAGE_BYTES = 4L << 30;

  private static final long CLOSE_NANOS = 30_000_000_000L;
  private static final int[] NO_TOKENS = new int[0];

  private final KvCacheConfig config;
  private final KvLayout layout;
  private final KvStorage storage;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final TableHoldings holdings;
  private final TablePruning pruning;
  private final PrefixPins pins;
  private final @Nullable Promotions promotions;
  private final List<BlockTable> tables = new ArrayList<>();
  private Thread owner;
  private long tablesMade;
  private long lookups;
  private long lookupTokens;
  private long hitTokens;
  private long copiedTokens;

  /// @param storage bytes for at least `config.blockCount()` blocks; closed with the cache
  public KvCache(KvCacheConfig config, KvStorage storage) {
    this(config, storage, null);
  }

  /// A cache with tiers below it.
  ///
  /// @param storage bytes for at least `config.blockCount()` blocks; closed with the cache
  /// @param offloader moves blocks between the storage and the tiers; closed with the cache
  public KvCache(KvCacheConfig config, KvStorage storage, @Nullable Offloader offloader) {
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
    this.prefixes = new PrefixCache(config, offloader);
    this.tree = prefixes.tree();
    this.pool = prefixes.pool();
    this.holdings = new TableHoldings(this, prefixes);
    this.pruning = new TablePruning(this, prefixes, holdings);
    this.pins = new PrefixPins(prefixes, config.clock());
    NodeOffload offload = prefixes.offload();
    this.promotions = offload == null ? null : new Promotions(this, offload);
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

  /// Blocks that a [#reserve] can have now: the free ones and the cached ones that it would evict.
  public int availableBlocks() {
    return prefixes.availableBlocks();
  }

  /// Makes the calling thread the owner: once, when the engine's thread takes over from the one
  /// that assembled it.
  public void adopt() {
    owner = Thread.currentThread();
  }

  /// A table for a new, empty sequence that shares nothing by content.
  public BlockTable open() {
    checkOwner();
    return add(PrefixTree.PRIVATE);
  }

  /// A table for a sequence that begins with `tokens`, already holding the longest beginning that
  /// the cache has in all layer groups: `table.length()` tokens, whose computation is saved.
  ///
  /// Whole blocks are shared; of the block that matches only in its first tokens the table gets a
  /// copy. The last token never matches, since its scores are wanted. Time is linear in the matched
  /// blocks.
  ///
  /// @param salt prefixes are shared only among sequences of equal salt: a tenant, an adapter, both
  /// @param tokens the prompt; later commits may add other tokens
  public BlockTable lookup(String salt, int[] tokens) {
    checkOwner();
    pins.expire();
    int root = tree.root(salt);
    BlockTable table = add(root);
    copiedTokens += holdings.findPrefix(table, tokens);
    lookups++;
    lookupTokens += tokens.length;
    hitTokens += table.length();
    return table;
  }

  /// Why [#lookup] found no more of a prompt than the table holds. For reports; the reason is that
  /// of the first block that is missing.
  ///
  /// @param table of the prompt, from [#lookup]
  public PrefixMiss explain(String salt, BlockTable table, int[] prompt) {
    checkLive(table);
    return prefixes.misses().explain(tree.root(salt), prompt, table.length());
  }

  private BlockTable add(int root) {
    BlockTable table = new BlockTable(this, ++tablesMade, layout.groups().size(), root);
    tree.retain(root);
    table.setOrdinal(tables.size());
    tables.add(table);
    return table;
  }

  /// Makes room for `tokens` more positions after `table.length()`, evicting cached blocks where
  /// needed. All or nothing: where blocks are short, nothing changes for the sequence.
  ///
  /// Room that is already there, from an earlier call or a partly filled block, is used first.
  public Reservation reserve(BlockTable table, int tokens) {
    checkLive(table);
    if (tokens < 0) {
      throw new IllegalArgumentException("cannot reserve " + tokens + " tokens");
    }
    int end = Math.max(table.reserved(), Math.addExact(table.length(), tokens));
    int blockTokens = layout.blockTokens();
    int wanted = 0;
    // By index: a step reserves for hundreds of tables, and iterators would be garbage.
    List<LayerGroup> groups = layout.groups();
    for (int g = 0; g < groups.size(); g++) {
      wanted += Math.max(0, groups.get(g).endBlock(end, blockTokens) - table.endBlock(g));
    }
    if (wanted > pool.freeCount() && !makeRoom(wanted)) {
      return new Reservation.Insufficient(wanted, prefixes.availableBlocks());
    }
    for (int g = 0; g < groups.size(); g++) {
      int endBlock = groups.get(g).endBlock(end, blockTokens);
      while (table.endBlock(g) < endBlock) {
        table.append(g, pool.take());
      }
    }
    table.setReserved(end);
    return Reservation.Granted.GRANTED;
  }

  /// Gives a table blocks beside those of positions, for what whoever reads it keeps of its rows.
  /// It has them until [#dropMargin] or its end; forks begin without, see [#copyMargin].
  ///
  /// @param blocks how many it should have at least
  public Reservation reserveMargin(BlockTable table, int blocks) {
    checkLive(table);
    int wanted = blocks - table.marginBlocks();
    if (wanted > pool.freeCount() && !makeRoom(wanted)) {
      return new Reservation.Insufficient(wanted, prefixes.availableBlocks());
    }
    while (table.marginBlocks() < blocks) {
      table.appendMargin(pool.take());
    }
    return Reservation.Granted.GRANTED;
  }

  /// Gives `fork` a copy of the margin of `source`. All or nothing.
  public Reservation copyMargin(BlockTable source, BlockTable fork) {
    checkLive(source);
    Reservation room = reserveMargin(fork, source.marginBlocks());
    for (int i = 0; room instanceof Reservation.Granted && i < source.marginBlocks(); i++) {
      storage.copy(source.marginBlock(i), fork.marginBlock(i));
    }
    return room;
  }

  /// Frees the blocks of [#reserveMargin] but the first `kept`.
  public void dropMargin(BlockTable table, int kept) {
    checkOwner();
    while (table.marginBlocks() > kept) {
      pool.free(table.removeMargin());
    }
  }

  /// Frees all blocks of [#reserveMargin].
  public void dropMargin(BlockTable table) {
    dropMargin(table, 0);
  }

  boolean makeRoom(int wanted) {
    pins.expire();
    return pins.breakFor(wanted) && prefixes.makeRoom(wanted);
  }

  /// Declares that the next `count` reserved positions are computed and written. Blocks that are
  /// full now join the prefix tree; where another sequence has put the same block there first, the
  /// table goes on with that one. Window groups let go of the blocks that no later query can see.
  ///
  /// @param sequence the tokens of the whole sequence from position 0, at least `table.length() +
  ///   count`; those of a table from [#open] are not looked at
  public void commit(BlockTable table, int[] sequence, int count) {
    int length = committed(table, count);
    if (length > sequence.length && !tree.isHidden(table.tip())) {
      throw new IllegalArgumentException(
          "cannot commit up to position %d of a sequence of %d tokens"
              .formatted(length, sequence.length));
    }
    int full = length / layout.blockTokens();
    int from = table.pages() == null ? table.length() / layout.blockTokens() : full;
    for (int index = from; index < full; index++) {
      prefixes.seal(table, index, sequence);
    }
    table.setLength(length);
    holdings.slideWindows(table);
  }

  /// The length after a commit of `count` tokens, where there is room for them.
  private int committed(BlockTable table, int count) {
    checkLive(table);
    if (count < 0 || count > table.reserved() - table.length()) {
      throw new IllegalArgumentException(
          "cannot commit %d tokens after %d: %d are reserved"
              .formatted(count, table.length(), table.reserved()));
    }
    return table.length() + count;
  }

  /// [#commit] for a table from [#open], whose tokens nobody needs to know.
  ///
  /// @throws IllegalArgumentException for a table from [#lookup]
  public void commit(BlockTable table, int count) {
    commit(table, NO_TOKENS, count);
  }

  /// Drops rows of the first positions of a sequence: for each layer of a full group and each kv
  /// head only the named ones stay, copied into pages of its own ([BlockTable#pruned]). What the
  /// table held before stays as it is for others. From now on the table is private: nobody finds
  /// what it holds or will hold, and it cannot be pinned. It may be pruned again, of what is left
  /// and further. Window groups and exact copies stay as they are.
  ///
  /// @param kept its tokens are at least those pruned before and at most the table's length
  /// @return [Reservation.Insufficient], with nothing changed for the sequence, where the blocks
  ///   for what is kept cannot be had, those counted that nobody but this sequence holds
  /// @throws IllegalArgumentException for positions that are not there, and as
  ///   [KvLayout#checkPrunable]
  public Reservation prune(BlockTable table, KeptTokens kept) {
    checkLive(table);
    Reservation reservation = pruning.prune(table, kept);
    prefixes.shrinkTo(config.cachedBlocks());
    return reservation;
  }

  /// What a table computes at positions from `length` on is no function of its tokens alone: nobody
  /// else may find it, and lower tiers do not get it. Its forks are bound likewise.
  ///
  /// @throws IllegalArgumentException where more is computed already and may have been found
  public void shareUpTo(BlockTable table, int length) {
    checkLive(table);
    if (length < Math.min(table.length(), table.sharedTo())) {
      throw new IllegalArgumentException(
          "cannot share up to %d of %d tokens that are shared".formatted(length, table.length()));
    }
    table.setSharedTo(Math.min(length, table.sharedTo()));
  }

  /// Begins to bring back what lower tiers hold of a prompt behind what the table has.
  ///
  /// Until the promotion is settled the table may only be released. The table's blocks for the rest
  /// of the prompt are reserved at once.
  ///
  /// @param table from [#lookup] of the same prompt, nothing reserved yet
  /// @param computeNanosPerToken what computing a token is estimated to take: a promotion that is
  ///   expected to be slower brings nothing. 0 to bring back in any case
  /// @param whenDone runs on another thread when [#settle] will have something to do
  /// @return null where there are no tiers, they hold nothing more, or room is short
  public @Nullable Promotion promote(
      BlockTable table, int[] prompt, long computeNanosPerToken, Runnable whenDone) {
    checkLive(table);
    return promotions == null || tree.isHidden(table.tip())
        ? null
        : promotions.start(table, prompt, computeNanosPerToken, whenDone);
  }

  /// Gives promoted sequences what has arrived, and lower tiers what they have room to take. To be
  /// called between steps; cheap where there is nothing to do.
  ///
  /// @return whether everything that should be in lower tiers is on its way there
  public boolean settle() {
    checkOwner();
    NodeOffload offload = prefixes.offload();
    if (promotions != null) {
      promotions.settle();
    }
    return offload == null || offload.advance();
  }

  /// [#commit] for `count` tokens whose blocks were not computed but filled with what was computed
  /// before: of window groups only what a query after them sees has to be there.
  ///
  /// @param count ends with a full block, or with the sequence
  public void commitRestored(BlockTable table, int[] sequence, int count) {
    int length = committed(table, count);
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int own = table.length() / layout.blockTokens();
      int first = Math.min(group.firstVisible(length) / layout.blockTokens(), table.endBlock(g));
      while (table.firstBlock(g) < first) {
        boolean mine = table.firstBlock(g) >= own;
        int block = table.removeFirst(g);
        if (mine) {
          pool.free(block);
        } else {
          prefixes.dropWindowBlock(block);
        }
      }
    }
    commit(table, sequence, count);
  }

  /// What happened between the cache and the tiers below it; null where there are none.
  public @Nullable OffloadStats offloadStats() {
    NodeOffload offload = prefixes.offload();
    return offload == null ? null : offload.offloader().stats();
  }

  /// A second sequence with the same past. Full blocks are shared; of a partly filled last block
  /// the fork gets a copy, so neither sees what the other writes. Copies one int per block and at
  /// most one block per layer group, whatever the length.
  ///
  /// @return the fork, or [Forked.NoRoom] where no block is free for that copy
  public Forked fork(BlockTable source) {
    checkLive(source);
    boolean pruned = source.pages() != null;
    int wanted = pruned ? pruning.blocksToFork(source) : holdings.blocksToFork(source);
    if (!makeRoom(wanted)) {
      return new Forked.NoRoom(wanted, prefixes.availableBlocks());
    }
    BlockTable fork = add(source.tip());
    fork.setSharedTo(source.sharedTo());
    if (pruned) {
      pruning.fork(source, fork);
    } else {
      holdings.fork(source, fork);
    }
    return new Forked.Table(fork);
  }

  /// The outcome of [KvCache#fork].
  public sealed interface Forked {
    /// The new sequence.
    record Table(BlockTable table) implements Forked {}

    /// Too few blocks can be freed for the copies; nothing was changed.
    record NoRoom(int wantedBlocks, int freeBlocks) implements Forked {}
  }

  /// Rewinds the sequence to its first `length` positions and lets go of what is behind them.
  ///
  /// Where `length` lies inside a full block, the table gets a copy of the part that it keeps, or
  /// the block itself where nobody else can know it.
  ///
  /// @return the length that is kept: `length`, or less where a window group has lost blocks that a
  ///   query at `length` would see, or where there is no room for that copy; the caller computes
  ///   the difference anew
  public int truncate(BlockTable table, int length) {
    checkLive(table);
    if (length < 0 || length > table.length()) {
      throw new IllegalArgumentException(
          "cannot rewind a sequence of %d tokens to %d".formatted(table.length(), length));
    }
    int full = table.length() / layout.blockTokens();
    PrunedPages pages = table.pages();
    if (pages != null) {
      pruning.truncate(table, pages, length);
    } else if (length / layout.blockTokens() == full && !prefixes.hasWindows()) {
      holdings.dropPrivate(table, blocksFor(length));
      table.setLength(length);
      table.setReserved(length);
    } else {
      holdings.rewind(table, full, length);
    }
    prefixes.shrinkTo(config.cachedBlocks());
    return table.length();
  }

  /// Ends the sequence and lets go of its blocks: those that others can find stay cached. The table
  /// cannot be used any more.
  public void release(BlockTable table) {
    checkOwner();
    checkUsable(table);
    table.markReleased();
    Promotion promotion = table.promotion();
    if (promotion == null) {
      end(table);
    } else {
      promotion.abandon();
    }
  }

  /// Ends a released table that nothing is written to any more.
  void end(BlockTable table) {
    dropMargin(table);
    holdings.letGo(table);
    BlockTable last = tables.removeLast();
    if (last != table) {
      tables.set(table.ordinal(), last);
      last.setOrdinal(table.ordinal());
    }
    prefixes.shrinkTo(config.cachedBlocks());
  }

  /// Keeps the full blocks of the sequence cached after its end.
  ///
  /// @param timeToLive how long, on the cache's clock
  /// @param priority 0 to 100: under pressure lower ones are broken first, [PrefixPin#UNBREAKABLE]
  ///   never
  /// @throws IllegalArgumentException for a table from [#open], whose blocks nobody finds
  public PrefixPin pin(BlockTable table, Duration timeToLive, int priority) {
    checkLive(table);
    if (tree.isHidden(table.tip())) {
      throw new IllegalArgumentException("a sequence that is not shared by content has no prefix");
    }
    int full = table.length() / layout.blockTokens();
    return pins.add(table, full * layout.blockTokens(), timeToLive, priority);
  }

  /// Ends a pin before its time; one that has ended already is left alone.
  public void unpin(PrefixPin pin) {
    checkOwner();
    pins.end(pin);
    prefixes.shrinkTo(config.cachedBlocks());
  }

  /// Forgets all cached prefixes and breaks all pins. Live sequences go on, but nothing that they
  /// hold will be found by others.
  ///
  /// @return blocks that became free
  public int reset() {
    checkOwner();
    pins.endAll();
    return prefixes.reset();
  }

  public KvCacheStats stats() {
    checkOwner();
    long tokens = 0;
    for (BlockTable table : tables) {
      tokens += table.length();
    }
    int cached = prefixes.cachedBlocks();
    return new KvCacheStats(
        pool.capacity(),
        pool.capacity() - pool.freeCount() - cached,
        cached,
        pool.freeCount(),
        new CacheAudit(this, prefixes, pins).sharedBlocks(),
        tables.size(),
        pins.count(),
        tokens,
        layout.blockBytes(),
        storage.residentBytes(),
        prefixes.counters(lookups, lookupTokens, hitTokens, copiedTokens));
  }

  /// Proves the invariants, in time linear in blocks and nodes.
  ///
  /// @throws IllegalStateException naming the invariant that does not hold and the block, node or
  ///   table
  public void verify() {
    checkOwner();
    new CacheAudit(this, prefixes, pins).verify();
  }

  /// A picture of every block, every table and the most used prefixes; linear in blocks and nodes.
  public CacheView view(CacheView.Limits limits) {
    checkOwner();
    return new CacheScan(this, prefixes, pins).view(limits);
  }

  PrefixCache prefixes() {
    return prefixes;
  }

  /// The live tables.
  List<BlockTable> tables() {
    return tables;
  }

  /// Stores what should outlive the process, closes the tiers and frees the storage. Live tables
  /// end with it.
  @Override
  public void close() {
    NodeOffload offload = prefixes.offload();
    if (offload != null) {
      long end = System.nanoTime() + CLOSE_NANOS;
      while (!offload.advance() && System.nanoTime() < end) {
        LockSupport.parkNanos(1_000_000);
      }
      offload.offloader().close();
    }
    storage.close();
  }

  private int blocksFor(int tokens) {
    return (int) (((long) tokens + layout.blockTokens() - 1) / layout.blockTokens());
  }

  private void checkLive(BlockTable table) {
    checkOwner();
    checkUsable(table);
    if (table.promotion() != null) {
      throw new IllegalStateException("the table waits for blocks from a lower tier");
    }
  }

  private void checkUsable(BlockTable table) {
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
