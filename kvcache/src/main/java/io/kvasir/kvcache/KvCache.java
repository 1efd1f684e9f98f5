package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.KvStorage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

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
/// - I3 a taken block is private to one table or stands in one node, never both.
/// - I4 only full blocks stand in nodes; a table's blocks before its last partly filled one are its
///   nodes' blocks.
/// - I5 a pinned node has a pinned parent; a cached one has all nodes before it.
/// - I6 the cached blocks counted are those of idle nodes and the loose ones, and the policy's
///   victim is an idle leaf.
/// - I7 each findable node is found by its own tokens and is the only one with them.
/// - I8 each group of a table holds exactly the blocks from the first that a query at `length`
///   still sees to the one with position `reserved - 1`.
///
/// **Threads.** One thread owns the cache and makes all calls; the one that made it is the owner
/// until another [#adopt]s it, and every call asserts it. Kernels on other threads read tables and
/// bytes during a step, while the owner waits for them.
public final class KvCache implements AutoCloseable {
  private static final int NONE = PrefixTree.NONE;
  private static final int[] NO_TOKENS = new int[0];

  private final KvCacheConfig config;
  private final KvLayout layout;
  private final KvStorage storage;
  private final PrefixCache prefixes;
  private final PrefixTree tree;
  private final BlockPool pool;
  private final PrefixMatch match;
  private final PrefixPins pins;
  private final List<BlockTable> tables = new ArrayList<>();
  private Thread owner;
  private long lookups;
  private long lookupTokens;
  private long hitTokens;
  private long copiedTokens;

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
    this.prefixes = new PrefixCache(config);
    this.tree = prefixes.tree();
    this.pool = prefixes.pool();
    this.match = new PrefixMatch(layout, prefixes);
    this.pins = new PrefixPins(prefixes, config.clock());
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
    match.find(root, tokens, tokens.length - 1);
    BlockTable table = add(root);
    int blocks = match.blocks();
    for (int index = 0; index < blocks; index++) {
      prefixes.hit(match.node(index));
    }
    hold(table, blocks);
    if (match.partial() != NONE) {
      prefixes.hit(match.partial());
      copiedTokens += copyPartial(table, match.partial(), match.partialTokens());
    }
    lookups++;
    lookupTokens += tokens.length;
    hitTokens += table.length();
    return table;
  }

  private BlockTable add(int root) {
    BlockTable table = new BlockTable(this, layout.groups().size(), root);
    tree.retain(root);
    table.setOrdinal(tables.size());
    tables.add(table);
    return table;
  }

  /// Makes an empty table hold the first `blocks` matched nodes.
  private void hold(BlockTable table, int blocks) {
    int length = blocks * layout.blockTokens();
    int root = table.tip();
    if (blocks > 0) {
      int tip = match.node(blocks - 1);
      prefixes.pin(tip);
      prefixes.unpin(root);
      table.setTip(tip);
    }
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      table.startAt(g, group.firstVisible(length) / layout.blockTokens());
      for (int index = table.firstBlock(g); index < blocks; index++) {
        int block = tree.block(match.node(index), g);
        table.append(g, block);
        if (prefixes.isWindow(g)) {
          prefixes.windows().hold(block);
        }
      }
    }
    table.setLength(length);
    table.setReserved(length);
  }

  /// Gives a table that ends with a full block the first `tokens` of a node's block as its own.
  ///
  /// @return `tokens`, or 0 where no block can be freed for the copies
  private int copyPartial(BlockTable table, int node, int tokens) {
    prefixes.hold(node);
    boolean room = prefixes.makeRoom(prefixes.groups());
    if (room) {
      int length = table.length() + tokens;
      for (int group = 0; group < prefixes.groups(); group++) {
        int copy = pool.take();
        storage.copy(tree.block(node, group), copy);
        table.append(group, copy);
      }
      table.setLength(length);
      table.setReserved(length);
      slideWindows(table);
    }
    prefixes.letGo(node);
    return room ? tokens : 0;
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
    int endBlock = blocksFor(end);
    int wanted = 0;
    for (int group = 0; group < layout.groups().size(); group++) {
      wanted += Math.max(0, endBlock - table.endBlock(group));
    }
    if (wanted > pool.freeCount() && !makeRoom(wanted)) {
      return new Reservation.Insufficient(wanted, prefixes.availableBlocks());
    }
    for (int group = 0; group < layout.groups().size(); group++) {
      while (table.endBlock(group) < endBlock) {
        table.append(group, pool.take());
      }
    }
    table.setReserved(end);
    return Reservation.Granted.GRANTED;
  }

  private boolean makeRoom(int wanted) {
    pins.expire();
    while (wanted > prefixes.availableBlocks() && pins.breakWeakest()) {}
    return prefixes.makeRoom(wanted);
  }

  /// Declares that the next `count` reserved positions are computed and written. Blocks that are
  /// full now join the prefix tree; where another sequence has put the same block there first, the
  /// table goes on with that one. Window groups let go of the blocks that no later query can see.
  ///
  /// @param sequence the tokens of the whole sequence from position 0, at least `table.length() +
  ///   count`; those of a table from [#open] are not looked at
  public void commit(BlockTable table, int[] sequence, int count) {
    checkLive(table);
    int length = table.length() + count;
    if (count < 0 || length > table.reserved()) {
      throw new IllegalArgumentException(
          "cannot commit %d tokens after %d: %d are reserved"
              .formatted(count, table.length(), table.reserved()));
    }
    if (length > sequence.length && !tree.isHidden(table.tip())) {
      throw new IllegalArgumentException(
          "cannot commit up to position %d of a sequence of %d tokens"
              .formatted(length, sequence.length));
    }
    int full = length / layout.blockTokens();
    for (int index = table.length() / layout.blockTokens(); index < full; index++) {
      prefixes.seal(table, index, sequence);
    }
    table.setLength(length);
    slideWindows(table);
  }

  /// [#commit] for a table from [#open], whose tokens nobody needs to know.
  ///
  /// @throws IllegalArgumentException for a table from [#lookup]
  public void commit(BlockTable table, int count) {
    commit(table, NO_TOKENS, count);
  }

  /// Lets go of the blocks before the oldest that a query at `length` sees.
  private void slideWindows(BlockTable table) {
    if (prefixes.fullGroups() == prefixes.groups()) {
      return;
    }
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      int first = group.firstVisible(table.length()) / layout.blockTokens();
      while (table.firstBlock(g) < Math.min(first, table.endBlock(g))) {
        prefixes.dropWindowBlock(table.removeFirst(g));
      }
    }
  }

  /// A second sequence with the same past. Full blocks are shared; of a partly filled last block
  /// the fork gets a copy, so neither sees what the other writes. Copies one int per block and at
  /// most one block per layer group, whatever the length.
  ///
  /// @return the fork, or [Forked.NoRoom] where no block is free for that copy
  public Forked fork(BlockTable source) {
    checkLive(source);
    int full = source.length() / layout.blockTokens();
    boolean partial = source.length() % layout.blockTokens() != 0;
    int wanted = partial ? layout.groups().size() : 0;
    if (!makeRoom(wanted)) {
      return new Forked.NoRoom(wanted, prefixes.availableBlocks());
    }
    BlockTable fork = add(source.tip());
    fork.copyBlocks(source);
    for (LayerGroup group : layout.groups()) {
      int g = group.index();
      while (fork.endBlock(g) > Math.max(full, fork.firstBlock(g))) {
        fork.removeLast(g);
      }
      for (int i = fork.firstBlock(g); prefixes.isWindow(g) && i < fork.endBlock(g); i++) {
        prefixes.windows().hold(fork.block(g, i));
      }
      if (partial) {
        int copy = pool.take();
        storage.copy(source.block(g, full), copy);
        fork.append(g, copy);
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
    if (length / layout.blockTokens() == full && prefixes.fullGroups() == prefixes.groups()) {
      dropPrivate(table, blocksFor(length));
      table.setLength(length);
      table.setReserved(length);
    } else {
      rewind(table, full, length);
    }
    prefixes.shrinkTo(config.cachedBlocks());
    return table.length();
  }

  /// Holds what the sequence keeps in a second table, ends the first and moves over.
  private void rewind(BlockTable table, int full, int length) {
    match.rewind(table.tip(), full, length);
    int root = tree.rootOf(table.tip());
    tree.retain(root);
    BlockTable kept = new BlockTable(this, layout.groups().size(), root);
    hold(kept, match.blocks());
    int partial = match.partial();
    if (partial != NONE) {
      prefixes.hold(partial);
    } else if (match.keepsTail()) {
      for (LayerGroup group : layout.groups()) {
        int tail = table.block(group.index(), full);
        kept.append(group.index(), tail);
        table.replace(group.index(), full, NONE);
      }
      kept.setLength(length);
      kept.setReserved(length);
    }
    letGo(table);
    table.takeOver(kept);
    if (partial != NONE && !takeBack(table, partial, length)) {
      copyPartial(table, partial, match.partialTokens());
      prefixes.letGo(partial);
    }
    slideWindows(table);
  }

  /// Makes the blocks of a node that only this call holds the table's own last blocks.
  private boolean takeBack(BlockTable table, int node, int length) {
    boolean room = prefixes.availableBlocks() >= prefixes.groups();
    if (!prefixes.isHeldOnce(node) || room && !tree.isHidden(node)) {
      return false;
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      table.append(group, tree.block(node, group));
    }
    prefixes.dissolve(node);
    table.setLength(length);
    table.setReserved(length);
    return true;
  }

  /// Ends the sequence and lets go of its blocks: those that others can find stay cached. The table
  /// cannot be used any more.
  public void release(BlockTable table) {
    checkLive(table);
    letGo(table);
    table.markReleased();
    BlockTable last = tables.removeLast();
    if (last != table) {
      tables.set(table.ordinal(), last);
      last.setOrdinal(table.ordinal());
    }
    prefixes.shrinkTo(config.cachedBlocks());
  }

  private void letGo(BlockTable table) {
    dropPrivate(table, table.length() / layout.blockTokens());
    boolean hidden = tree.isHidden(table.tip());
    if (!hidden) {
      prefixes.unpin(table.tip());
    }
    for (int group = 0; group < prefixes.groups(); group++) {
      while (table.endBlock(group) > table.firstBlock(group)) {
        int block = table.removeLast(group);
        if (prefixes.isWindow(group)) {
          prefixes.dropWindowBlock(block);
        }
      }
    }
    if (hidden) {
      prefixes.unpin(table.tip());
    }
  }

  /// Frees the blocks from index `endBlock` on, which are the table's own.
  private void dropPrivate(BlockTable table, int endBlock) {
    for (int group = 0; group < prefixes.groups(); group++) {
      while (table.endBlock(group) > Math.max(endBlock, table.firstBlock(group))) {
        int block = table.removeLast(group);
        if (block != NONE) {
          pool.free(block);
        }
      }
    }
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

  /// The live tables.
  List<BlockTable> tables() {
    return tables;
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
