package io.kvasir.kvcache.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Moves blocks between the device's storage and the tiers below it, on threads of its own.
///
/// Downwards, [#store] copies a block into a staging slot at once, so that the device's block may
/// be reused the moment it returns, and a thread writes the slot to the tiers. No slot, no copy:
/// the caller tries again later or does without, and nothing ever waits for a disk. Upwards, work
/// handed to [#submit] reads blocks with [#load] straight into device blocks that its owner has
/// reserved and touches nothing of until it is done.
///
/// All methods may be called by several threads.
public final class Offloader implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Offloader.class.getName());
  private static final long CLOSE_SECONDS = 30;
  private static final long STOP_SECONDS = 5;
  private static final long SECOND_NANOS = 1_000_000_000L;
  private static final int MIN_RATE_SAMPLES = 4;

  private final List<Tier> tiers;
  private final boolean persistent;
  private final KvStorage device;
  private final OffloadConfig config;
  private final Arena arena = Arena.ofShared();
  private final Deque<MemorySegment> freeSlots = new ArrayDeque<>();
  private final int slotCount;
  private final ExecutorService writers;
  private final ExecutorService readers;
  private final AtomicInteger threadNumber = new AtomicInteger();
  private final AtomicLong staged = new AtomicLong();
  private final AtomicLong dropped = new AtomicLong();
  private final AtomicLong promotions = new AtomicLong();
  private final AtomicLong promotedBlocks = new AtomicLong();
  private final AtomicLong recomputed = new AtomicLong();
  private int slotsMade;
  private long budgetNanos = System.nanoTime();

  /// @param tiers from the nearest to the furthest; closed with the offloader
  /// @param device where blocks come from and go to; stays the caller's and open longer than this
  public Offloader(List<Tier> tiers, KvStorage device, OffloadConfig config) {
    this.tiers = List.copyOf(tiers);
    this.persistent = tiers.stream().anyMatch(Tier::isPersistent);
    this.device = device;
    this.config = config;
    this.slotCount = (int) Math.clamp(config.stagingBytes() / device.blockBytes(), 1L, 4096L);
    // Apart, so that nobody who waits for a block waits for slow or throttled writing.
    this.writers = Executors.newFixedThreadPool(config.threads(), this::thread);
    this.readers = Executors.newFixedThreadPool(config.threads(), this::thread);
  }

  private Thread thread(Runnable work) {
    Thread thread = new Thread(work, "kvasir-offload-" + threadNumber.incrementAndGet());
    thread.setDaemon(true);
    return thread;
  }

  /// Stands for everything but tokens and salt that decides a block's bytes.
  public String fingerprint() {
    return config.fingerprint();
  }

  /// Whether some tier outlives the process, so that blocks are worth storing before they leave.
  public boolean isPersistent() {
    return persistent;
  }

  /// Which tiers a block is stored in.
  public enum Reach {
    /// Those that outlive the process, while the block stays on the device.
    PERSISTENT,
    /// The others, as a block leaves that the first have.
    PASSING,
    /// All, as a block leaves.
    ALL
  }

  /// Stores a copy of the device's block in those tiers of `reach` that lack it.
  ///
  /// @return false where no staging slot is free, and nothing is stored
  public boolean store(BlockKey key, int block, Reach reach) {
    List<Tier> wanted = new ArrayList<>(tiers.size());
    for (Tier tier : tiers) {
      boolean reached = reach == Reach.ALL || tier.isPersistent() == (reach == Reach.PERSISTENT);
      if (reached && !tier.contains(key)) {
        wanted.add(tier);
      }
    }
    if (wanted.isEmpty()) {
      return true;
    }
    MemorySegment slot = takeSlot();
    if (slot == null) {
      if (reach != Reach.PERSISTENT) {
        dropped.incrementAndGet();
      }
      return false;
    }
    device.read(block, slot);
    staged.incrementAndGet();
    writers.execute(() -> write(key, slot, wanted));
    return true;
  }

  private void write(BlockKey key, MemorySegment slot, List<Tier> wanted) {
    try {
      for (Tier tier : wanted) {
        awaitBudget(slot.byteSize());
        tier.store(key, slot);
      }
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.WARNING, "event=tier_store_failed error=" + e, e);
    } finally {
      giveSlot(slot);
    }
  }

  private synchronized @Nullable MemorySegment takeSlot() {
    MemorySegment slot = freeSlots.poll();
    if (slot == null && slotsMade < slotCount) {
      slotsMade++;
      slot = arena.allocate(device.blockBytes(), 64);
    }
    return slot;
  }

  private synchronized void giveSlot(MemorySegment slot) {
    freeSlots.push(slot);
  }

  /// Sleeps until the bytes are within the budget of stored bytes a second.
  private void awaitBudget(long bytes) {
    if (config.storeBytesPerSecond() == 0) {
      return;
    }
    long wait;
    synchronized (this) {
      long now = System.nanoTime();
      budgetNanos = Math.max(budgetNanos, now - SECOND_NANOS);
      budgetNanos += (long) ((double) bytes * SECOND_NANOS / config.storeBytesPerSecond());
      wait = budgetNanos - now;
    }
    try {
      TimeUnit.NANOSECONDS.sleep(wait);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Whether it is worth asking the tiers for the block; answers from memory.
  public boolean mayHold(BlockKey key) {
    for (Tier tier : tiers) {
      if (tier.isShared() || tier.contains(key)) {
        return true;
      }
    }
    return false;
  }

  /// Runs work that calls [#leading] and [#load] on a thread of the offloader.
  public void submit(Runnable work) {
    promotions.incrementAndGet();
    readers.execute(work);
  }

  /// How many of the first keys the tiers probably hold between them; may block.
  public int leading(List<BlockKey> keys) {
    int held = 0;
    boolean more = true;
    while (more && held < keys.size()) {
      int before = held;
      for (Tier tier : tiers) {
        held += held < keys.size() ? tier.leading(keys.subList(held, keys.size())) : 0;
      }
      more = held > before;
    }
    return held;
  }

  /// Reads blocks from whichever tier is nearest into device blocks; may block.
  ///
  /// @return how many of the first keys were read; the device blocks behind them may hold anything
  public int load(List<BlockKey> keys, int[] blocks) {
    int done = 0;
    boolean more = true;
    while (more && done < keys.size()) {
      int before = done;
      for (Tier tier : tiers) {
        // No question first: who asks for blocks has found that they are held.
        done += done < keys.size() ? load(tier, keys.subList(done, keys.size()), blocks, done) : 0;
      }
      more = done > before;
    }
    promotedBlocks.addAndGet(done);
    return done;
  }

  private int load(Tier tier, List<BlockKey> keys, int[] blocks, int from) {
    List<MemorySegment> into = new ArrayList<>(keys.size());
    for (int i = 0; i < keys.size(); i++) {
      MemorySegment view = device.view(blocks[from + i]);
      if (view == null) {
        return loadStaged(tier, keys, blocks, from);
      }
      into.add(view);
    }
    return tier.load(keys, into);
  }

  /// One block after the other through a buffer, for devices whose memory is not addressable.
  private int loadStaged(Tier tier, List<BlockKey> keys, int[] blocks, int from) {
    return device.writeEach(
        blocks,
        from,
        keys.size(),
        (i, into) -> tier.load(List.of(keys.get(i)), List.of(into)) == 1);
  }

  /// Whether reading `blocks` blocks is expected to take longer than `computeNanos`, going by what
  /// reading has taken so far in the fastest tier that was ever read from.
  public boolean isSlowerThan(long blocks, long computeNanos) {
    double perBlock = Double.MAX_VALUE;
    for (Tier tier : tiers) {
      TierStats stats = tier.stats();
      if (stats.hits() >= MIN_RATE_SAMPLES) {
        perBlock = Math.min(perBlock, (double) stats.loadNanos() / stats.hits());
      }
    }
    boolean slower = perBlock < Double.MAX_VALUE && perBlock * blocks > computeNanos;
    recomputed.addAndGet(slower ? 1 : 0);
    return slower;
  }

  public OffloadStats stats() {
    List<OffloadStats.NamedTier> named = new ArrayList<>();
    for (Tier tier : tiers) {
      named.add(new OffloadStats.NamedTier(tier.name(), tier.stats()));
    }
    return new OffloadStats(
        staged.get(),
        dropped.get(),
        promotions.get(),
        promotedBlocks.get(),
        recomputed.get(),
        named);
  }

  /// Proves that each tier's books agree with what it holds.
  public void verify() {
    tiers.forEach(Tier::verify);
  }

  /// Waits for what is under way, at most half a minute, and closes the tiers.
  @Override
  public void close() {
    boolean ended = end(readers);
    ended &= end(writers);
    tiers.forEach(Tier::close);
    if (ended) {
      arena.close();
    }
  }

  private static boolean end(ExecutorService threads) {
    threads.shutdown();
    try {
      if (!threads.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        LOG.log(System.Logger.Level.WARNING, "event=offload_unfinished seconds=" + CLOSE_SECONDS);
        threads.shutdownNow();
        return threads.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
      }
      return true;
    } catch (InterruptedException e) {
      threads.shutdownNow();
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
