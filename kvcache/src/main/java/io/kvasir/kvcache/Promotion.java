package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.PrefixKeys;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Blocks on their way back from lower tiers into a sequence that waits for them.
///
/// The sequence's table holds the reserved blocks that are being filled, so nothing can take them;
/// until [#isDone] nobody computes on the table. What arrived is committed by [KvCache#settle] as
/// if it had been computed. Reading happens on a thread of the offloader, everything else on the
/// cache's.
public final class Promotion {
  private static final System.Logger LOG = System.getLogger(Promotion.class.getName());

  private final BlockTable table;
  private final int[] sequence;
  private final KvLayout layout;
  private final Offloader offloader;
  private final long computeNanosPerToken;
  private final Runnable whenDone;
  private final int firstBlock;
  private final List<BlockKey> keys;
  private final int[][] blocks;
  private volatile int loadedBlocks = -1;
  private volatile boolean written;
  private boolean settled;
  private boolean abandoned;
  private int gainedTokens;

  Promotion(BlockTable table, int[] sequence, KvLayout layout, Offloader offloader, Terms terms) {
    this.table = table;
    this.sequence = sequence;
    this.layout = layout;
    this.offloader = offloader;
    this.computeNanosPerToken = terms.computeNanosPerToken();
    this.whenDone = terms.whenDone();
    this.keys = terms.keys();
    this.firstBlock = table.length() / layout.blockTokens();
    this.blocks = new int[layout.groups().size()][keys.size()];
    for (LayerGroup group : layout.groups()) {
      for (int place = 0; place < keys.size() && keeps(group, place); place++) {
        blocks[group.index()][place] = table.block(group.index(), firstBlock + place);
      }
    }
  }

  /// @param keys of the prefixes that end with each wanted block, in order
  /// @param computeNanosPerToken what computing a token takes instead; 0 for never instead
  /// @param whenDone runs on the offloader's thread
  record Terms(List<BlockKey> keys, long computeNanosPerToken, Runnable whenDone) {}

  /// Whether reading has ended and the next [KvCache#settle] gives the sequence what was read.
  public boolean isDone() {
    return loadedBlocks >= 0;
  }

  /// Whether the sequence has what was read and may go on.
  public boolean isSettled() {
    return settled;
  }

  /// By how many tokens the sequence has grown, known once the promotion is settled; negative where
  /// a failed read spoiled the copied part of a block.
  public int gainedTokens() {
    return gainedTokens;
  }

  BlockTable table() {
    return table;
  }

  int[] sequence() {
    return sequence;
  }

  int loadedBlocks() {
    return loadedBlocks;
  }

  /// Whether reading may have written into the table's blocks.
  boolean hasWritten() {
    return written;
  }

  void settle(int tokens) {
    settled = true;
    gainedTokens = tokens;
  }

  /// The sequence has ended meanwhile; its blocks are freed when reading is over.
  void abandon() {
    abandoned = true;
  }

  boolean isAbandoned() {
    return abandoned;
  }

  /// Reads; on a thread of the offloader.
  void run() {
    int read = 0;
    try {
      read = read();
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.WARNING, "event=promotion_failed error=" + e, e);
    } finally {
      loadedBlocks = read;
      whenDone.run();
    }
  }

  private int read() {
    Wanted steady = steadyBlocks(keys.size());
    int served = keys.size();
    if (steady.count > 0) {
      served = steady.placesBefore(offloader.leading(steady.keys), served);
    }
    served = servedByWindows(served);
    if (served == 0 || isSlow(served)) {
      return 0;
    }
    written = true;
    int loaded = served;
    steady = steadyBlocks(served);
    if (steady.count > 0) {
      loaded = steady.placesBefore(load(steady), served);
    }
    if (loaded < served) {
      // A damaged block ends the prefix earlier, where the windows must be whole too.
      loaded = servedByWindows(loaded);
    }
    Wanted windows = windowBlocks(loaded);
    return windows.count == 0 || load(windows) == windows.count ? loaded : 0;
  }

  private int load(Wanted wanted) {
    return offloader.load(wanted.keys, Arrays.copyOf(wanted.blocks, wanted.count));
  }

  private boolean isSlow(int wanted) {
    long tokens = (long) wanted * layout.blockTokens();
    return computeNanosPerToken > 0
        && offloader.isSlowerThan(
            Math.max(wanted, steadyBlocks(wanted).count), tokens * computeNanosPerToken);
  }

  /// Blocks to be read: their keys, where they go, and for which place of the prefix.
  private static final class Wanted {
    final List<BlockKey> keys = new ArrayList<>();
    int[] blocks = new int[16];
    int[] places = new int[16];
    int count;

    void add(BlockKey key, int block, int place) {
      if (count == blocks.length) {
        blocks = Arrays.copyOf(blocks, 2 * count);
        places = Arrays.copyOf(places, 2 * count);
      }
      keys.add(key);
      blocks[count] = block;
      places[count++] = place;
    }

    /// How many of `most` places have all their blocks among the first `held`.
    int placesBefore(int held, int most) {
      return held < count ? places[held] : most;
    }
  }

  private void want(Wanted wanted, LayerGroup group, int place) {
    BlockKey key = PrefixKeys.inGroup(keys.get(place), group.index());
    wanted.add(key, blocks[group.index()][place], place);
  }

  private boolean keeps(LayerGroup group, int place) {
    return !group.isBounded()
        || firstBlock + place < group.endBlock(group.limit(), layout.blockTokens());
  }

  /// The blocks of all full and bounded groups at the first `count` places, place by place.
  private Wanted steadyBlocks(int count) {
    Wanted wanted = new Wanted();
    for (int place = 0; place < count; place++) {
      for (LayerGroup group : layout.groups()) {
        if (!group.isWindow() && keeps(group, place)) {
          want(wanted, group, place);
        }
      }
    }
    return wanted;
  }

  /// The blocks that the window groups need where `count` places are promoted.
  private Wanted windowBlocks(int count) {
    Wanted wanted = new Wanted();
    for (LayerGroup group : layout.groups()) {
      for (int i = firstInWindow(group, count); group.isWindow() && i < count; i++) {
        want(wanted, group, i);
      }
    }
    return wanted;
  }

  /// The longest promotion of at most `most` blocks for which the windows' blocks are held too.
  private int servedByWindows(int most) {
    int count = most;
    while (count > 0) {
      Wanted wanted = windowBlocks(count);
      int held = wanted.count == 0 ? 0 : offloader.leading(wanted.keys);
      if (held == wanted.count) {
        return count;
      }
      // A promotion that ends within a window after the missing block would miss it as well, so the
      // next to try ends before it.
      count = wanted.places[held];
    }
    return 0;
  }

  /// Which of the wanted blocks is the first that a query after `count` of them still sees.
  private int firstInWindow(LayerGroup group, int count) {
    int length = (firstBlock + count) * layout.blockTokens();
    return Math.max(0, group.firstVisible(length) / layout.blockTokens() - firstBlock);
  }

  @Override
  public String toString() {
    return "Promotion[%s blocks=%d loaded=%d]".formatted(table, keys.size(), loadedBlocks);
  }
}
