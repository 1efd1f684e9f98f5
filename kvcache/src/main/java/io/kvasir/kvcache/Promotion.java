package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.PrefixKeys;
import java.util.ArrayList;
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
    for (int group = 0; group < blocks.length; group++) {
      for (int i = 0; i < keys.size(); i++) {
        blocks[group][i] = table.block(group, firstBlock + i);
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
    int wanted = offloader.leading(fullKeys(keys.size())) / Math.max(1, fullGroups());
    if (fullGroups() == 0) {
      wanted = keys.size();
    }
    wanted = servedByWindows(wanted);
    if (wanted == 0 || isSlow(wanted)) {
      return 0;
    }
    int loaded = wanted;
    written = true;
    if (fullGroups() > 0) {
      loaded = offloader.load(fullKeys(wanted), fullBlocks(wanted)) / fullGroups();
    }
    // A damaged block ends the prefix earlier, where the windows must be whole too.
    loaded = servedByWindows(loaded);
    return loadWindows(loaded) ? loaded : 0;
  }

  private boolean isSlow(int wanted) {
    long tokens = (long) wanted * layout.blockTokens();
    return computeNanosPerToken > 0
        && offloader.isSlowerThan(
            (long) wanted * Math.max(1, fullGroups()), tokens * computeNanosPerToken);
  }

  private int fullGroups() {
    int full = 0;
    for (LayerGroup group : layout.groups()) {
      full += group.kv().window() == 0 ? 1 : 0;
    }
    return full;
  }

  private List<BlockKey> fullKeys(int count) {
    List<BlockKey> wanted = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      for (LayerGroup group : layout.groups()) {
        if (group.kv().window() == 0) {
          wanted.add(PrefixKeys.inGroup(keys.get(i), group.index()));
        }
      }
    }
    return wanted;
  }

  private int[] fullBlocks(int count) {
    int[] wanted = new int[count * fullGroups()];
    int n = 0;
    for (int i = 0; i < count; i++) {
      for (LayerGroup group : layout.groups()) {
        if (group.kv().window() == 0) {
          wanted[n++] = blocks[group.index()][i];
        }
      }
    }
    return wanted;
  }

  /// The longest promotion of at most `most` blocks for which the windows' blocks are held too.
  private int servedByWindows(int most) {
    int count = most;
    while (count > 0) {
      List<BlockKey> wanted = windowKeys(count);
      int held = offloader.leading(wanted);
      if (held == wanted.size()) {
        return count;
      }
      // A promotion that ends within a window after the missing block would miss it as well, so the
      // next to try ends before it.
      count = Math.min(count - 1, blockOf(held, count));
    }
    return 0;
  }

  /// Which wanted block the key at `place` of [#windowKeys] belongs to.
  private int blockOf(int place, int count) {
    int rest = place;
    for (LayerGroup group : layout.groups()) {
      int first = firstInWindow(group, count);
      if (group.kv().window() > 0 && rest < count - first) {
        return first + rest;
      }
      rest -= group.kv().window() > 0 ? count - first : 0;
    }
    throw new IndexOutOfBoundsException("no window key at place " + place);
  }

  private List<BlockKey> windowKeys(int count) {
    List<BlockKey> wanted = new ArrayList<>();
    for (LayerGroup group : layout.groups()) {
      for (int i = firstInWindow(group, count); group.kv().window() > 0 && i < count; i++) {
        wanted.add(PrefixKeys.inGroup(keys.get(i), group.index()));
      }
    }
    return wanted;
  }

  private boolean loadWindows(int count) {
    List<BlockKey> wanted = windowKeys(count);
    int[] into = new int[wanted.size()];
    int n = 0;
    for (LayerGroup group : layout.groups()) {
      for (int i = firstInWindow(group, count); group.kv().window() > 0 && i < count; i++) {
        into[n++] = blocks[group.index()][i];
      }
    }
    return wanted.isEmpty() || offloader.load(wanted, into) == wanted.size();
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
