package io.kvasir.kvcache.tier;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/// Blocks in a folder, least recently used first out. They survive restarts and `kill -9`.
///
/// Blocks are in slots of a few big files ([SlabLayout]); the slot of an evicted block is
/// overwritten in place, since making and deleting a file per block costs more than its bytes
/// (docs/decisions/0008). A block is written without waiting for the device. What a crash tears
/// fails its checksum and is a miss.
///
/// Several processes may have the same folder open: each writes to slabs of its own and reads those
/// of the others, and what a process leaves when it ends is taken over by the next that needs room
/// or starts ([SlabFolder]). The byte budget is the folder's, with one slab as the least that a
/// process gets. Files of another model are not read and go first when room is needed.
///
/// A full disk stops the growth: blocks then replace older ones in place. A block that fails its
/// checksum is erased; a slot that cannot be read is not used again until the next start.
public final class DiskTier implements Tier {
  private static final System.Logger LOG = System.getLogger(DiskTier.class.getName());

  private static final long RETRY_NANOS = 5_000_000_000L;
  private static final int READERS = 4;

  private final DiskTierConfig config;
  private final DiskSlabs slabs;
  private final BlockSlots slots;
  private final TierCounters counters = new TierCounters();
  private final AtomicLong clock = new AtomicLong();
  private final Readers readers = new Readers(READERS, "kvasir-disk-tier");

  /// Shared by operations, exclusive for [#close] and [#verify].
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private volatile long noGrowthUntil = System.nanoTime();
  private volatile long noStoreUntil = noGrowthUntil;
  private boolean closed;

  private DiskTier(DiskTierConfig config, Slab.Opener opener) throws IOException {
    this.config = config;
    this.slots = new BlockSlots();
    this.slabs = new DiskSlabs(config, slots, opener, e -> failed("damaged", e));
    clock.set(slabs.lastUsed());
  }

  /// Opens the folder and takes over what ended processes left in it.
  ///
  /// @throws IOException one sentence that names the folder and what is wrong with it
  public static DiskTier open(DiskTierConfig config) throws IOException {
    return open(config, DiskSlabs::openChannel);
  }

  /// As [#open], over channels that a test makes fail.
  static DiskTier open(DiskTierConfig config, Slab.Opener opener) throws IOException {
    return new DiskTier(config, opener);
  }

  @Override
  public String name() {
    return "disk";
  }

  /// Other processes may write into the folder at any time.
  @Override
  public boolean isShared() {
    return true;
  }

  @Override
  public boolean contains(BlockKey key) {
    return slots.contains(key) || slabs.isWithOthers(key);
  }

  /// As [#contains] for each key; where one is missing, other processes' slabs are looked through
  /// again, at most once a second.
  @Override
  public int leading(List<BlockKey> keys) {
    int held = Tier.super.leading(keys);
    gate.readLock().lock();
    try {
      if (held < keys.size() && !closed && slabs.refreshOthers()) {
        held = Tier.super.leading(keys);
      }
    } finally {
      gate.readLock().unlock();
    }
    return held;
  }

  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    requireBlock(bytes);
    gate.readLock().lock();
    try {
      if (closed) {
        return false;
      }
      int held = slots.pin(key);
      if (held != BlockSlots.NONE) {
        used(held);
        release(held, slots.unpin(held));
        return true;
      }
      return slabs.isStillWithOthers(key) || write(key, bytes);
    } finally {
      gate.readLock().unlock();
    }
  }

  /// Reads several blocks at a time, since a device answers four scattered reads in little more
  /// than the time of one.
  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    into.forEach(this::requireBlock);
    int done = 0;
    gate.readLock().lock();
    try {
      long start = System.nanoTime();
      if (!closed) {
        done = readers.run(keys.size(), i -> read(keys.get(i), into.get(i)));
      }
      counters.hit(done, System.nanoTime() - start);
    } finally {
      gate.readLock().unlock();
    }
    counters.miss(keys.size() - done);
    return done;
  }

  /// Blocks in slabs of our own; the capacity is the folder's.
  @Override
  public TierStats stats() {
    long held = slots.heldCount();
    long blockBytes = config.blockBytes() + (long) SlabLayout.RECORD_BYTES + SlabLayout.USED_BYTES;
    return counters.stats(held, held * blockBytes, config.capacityBytes());
  }

  /// Compares the index with the records on disk. Waits for running operations and holds up others.
  @Override
  public void verify() {
    gate.writeLock().lock();
    try {
      if (!closed) {
        slots.verify();
        slabs.verify();
      }
    } catch (IOException e) {
      throw new IllegalStateException("the slabs cannot be read: " + e.getMessage(), e);
    } finally {
      gate.writeLock().unlock();
    }
  }

  @Override
  public void close() {
    gate.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        readers.close();
        slabs.close();
      }
    } catch (IOException e) {
      LOG.log(Level.WARNING, "event=tier-close-failed folder=" + config.folder(), e);
    } finally {
      gate.writeLock().unlock();
    }
  }

  /// Tries a second time where the first write found the disk full: in place of an older block.
  private boolean write(BlockKey key, MemorySegment bytes) {
    if (System.nanoTime() - noStoreUntil < 0) {
      return false;
    }
    long start = System.nanoTime();
    for (int attempt = 0; attempt < 2; attempt++) {
      int slot = place();
      if (slot == BlockSlots.NONE) {
        return false;
      }
      try {
        slabs.of(slot).write(slabs.local(slot), key, bytes, tick());
        if (!slots.publish(slot, key)) {
          erase(slot);
        }
        counters.stored(System.nanoTime() - start);
        return true;
      } catch (IOException e) {
        erase(slot);
        noGrowthUntil = System.nanoTime() + RETRY_NANOS;
        failed("unwritable", e);
      }
    }
    noStoreUntil = System.nanoTime() + RETRY_NANOS;
    return false;
  }

  /// A slot to write to: a free one, one of a new slab, or that of the oldest block.
  private int place() {
    boolean growing = System.nanoTime() - noGrowthUntil >= 0;
    int slot = growing ? slots.take() : BlockSlots.NONE;
    if (slot == BlockSlots.NONE && growing && grow()) {
      slot = slots.take();
    }
    if (slot == BlockSlots.NONE) {
      slot = slots.evict();
      if (slot == BlockSlots.NONE) {
        return slots.take();
      }
      counters.evicted();
    }
    return slot;
  }

  private boolean grow() {
    boolean interrupted = Thread.interrupted(); // It would close the files in the making.
    try {
      return slabs.grow();
    } catch (IOException e) {
      noGrowthUntil = System.nanoTime() + RETRY_NANOS;
      failed("no-room", e);
      return false;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private boolean read(BlockKey key, MemorySegment into) {
    int slot = slots.pin(key);
    if (slot == BlockSlots.NONE) {
      return slabs.readFromOthers(key, into);
    }
    try {
      if (slabs.of(slot).read(slabs.local(slot), key, into)) {
        used(slot);
        release(slot, slots.unpin(slot));
        return true;
      }
      failed("damaged", null);
      release(slot, slots.discard(slot));
    } catch (IOException e) {
      failed("unreadable", e);
      if (slots.discard(slot)) {
        slots.retire(slot);
      }
    }
    return false;
  }

  private void used(int slot) {
    try {
      slabs.of(slot).writeUsed(slabs.local(slot), tick());
    } catch (IOException e) {
      failed("unwritable", e); // Only the order after a restart suffers.
    }
  }

  /// Frees a slot whose block was discarded, where it has become ours.
  private void release(int slot, boolean ours) {
    if (ours) {
      erase(slot);
    }
  }

  private void erase(int slot) {
    try {
      slabs.of(slot).erase(slabs.local(slot));
      slots.free(slot);
    } catch (IOException e) {
      slots.retire(slot);
      failed("unwritable", e);
    }
  }

  /// The unit of times of use.
  static long ticks(long millis) {
    return millis << 10;
  }

  /// The time, made distinct.
  private long tick() {
    long now = ticks(System.currentTimeMillis());
    return clock.updateAndGet(last -> Math.max(last + 1, now));
  }

  private void requireBlock(MemorySegment bytes) {
    if (bytes.byteSize() != config.blockBytes()) {
      throw new IllegalArgumentException(
          "a block has %d bytes, not %d".formatted(config.blockBytes(), bytes.byteSize()));
    }
  }

  private void failed(String why, @Nullable IOException cause) {
    if (counters.failed()) {
      LOG.log(
          Level.WARNING,
          "event=tier-failure tier=disk why={0} folder={1} cause=\"{2}\"",
          why,
          config.folder(),
          cause == null ? "checksum" : cause.getMessage());
    }
  }
}
