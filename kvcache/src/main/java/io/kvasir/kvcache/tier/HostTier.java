package io.kvasir.kvcache.tier;

import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// Blocks in native memory of this process, least recently used first out.
///
/// Memory is taken from the operating system as blocks come. Copies run outside the lock, so
/// several threads move blocks at the speed of memory: a store and a load read and write each byte
/// once, and the optional checksum reads it twice more.
public final class HostTier implements Tier {
  private static final System.Logger LOG = System.getLogger(HostTier.class.getName());

  private final HostStorage storage;
  private final BlockSlots slots = new BlockSlots();
  private final long[] checksums;
  private final TierCounters counters = new TierCounters();

  /// Shared by operations, exclusive for [#close] and [#verify].
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private volatile boolean exhausted;
  private boolean closed;

  /// @param blockBytes size of every block, a multiple of 64
  /// @param capacityBytes most bytes of blocks; the rest behind the last whole block is not used
  /// @param checksums whether blocks are checked when read, against failing memory
  /// @throws IllegalArgumentException where not even one block fits
  public HostTier(long blockBytes, long capacityBytes, boolean checksums) {
    if (blockBytes <= 0 || capacityBytes < blockBytes) {
      throw new IllegalArgumentException(
          "%d bytes of host memory do not hold a block of %d bytes"
              .formatted(capacityBytes, blockBytes));
    }
    int count = (int) Math.min(capacityBytes / blockBytes, Integer.MAX_VALUE / 2);
    this.storage = new HostStorage(blockBytes, count);
    this.checksums = new long[checksums ? count : 0];
    slots.add(count);
  }

  @Override
  public String name() {
    return "host";
  }

  @Override
  public boolean isPersistent() {
    return false;
  }

  @Override
  public boolean contains(BlockKey key) {
    return slots.contains(key);
  }

  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    requireBlock(bytes);
    gate.readLock().lock();
    try {
      if (closed) {
        return false;
      }
      if (slots.touch(key) != BlockSlots.NONE) {
        return true;
      }
      return copyIn(key, bytes);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    int done = 0;
    gate.readLock().lock();
    try {
      long start = System.nanoTime();
      while (!closed && done < keys.size() && copyOut(keys.get(done), into.get(done))) {
        done++;
      }
      counters.hit(done, System.nanoTime() - start);
    } finally {
      gate.readLock().unlock();
    }
    counters.miss(keys.size() - done);
    return done;
  }

  @Override
  public TierStats stats() {
    long held = slots.heldCount();
    long blockBytes = storage.blockBytes();
    return counters.stats(held, held * blockBytes, storage.blockCount() * blockBytes);
  }

  @Override
  public void verify() {
    gate.writeLock().lock();
    try {
      slots.verify();
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
        storage.close();
      }
    } finally {
      gate.writeLock().unlock();
    }
  }

  private boolean copyIn(BlockKey key, MemorySegment bytes) {
    long start = System.nanoTime();
    int slot = place();
    if (slot == BlockSlots.NONE) {
      return false;
    }
    bytesOf(slot).copyFrom(bytes);
    if (checksums.length > 0) {
      checksums[slot] = BlockChecksum.of(bytesOf(slot));
    }
    if (!slots.publish(slot, key)) {
      slots.free(slot);
    }
    counters.stored(System.nanoTime() - start);
    return true;
  }

  /// A slot with memory behind it: a free one, or that of the oldest block.
  private int place() {
    int slot = exhausted ? BlockSlots.NONE : slots.take();
    if (slot != BlockSlots.NONE) {
      try {
        storage.segment(slot);
        return slot;
      } catch (OutOfMemoryError e) {
        // The system has less memory than the budget says: what there is stays in use.
        exhausted = true;
        slots.retire(slot);
        failed("no-memory", String.valueOf(e.getMessage()));
      }
    }
    slot = slots.evict();
    if (slot != BlockSlots.NONE) {
      counters.evicted();
    }
    return slot;
  }

  private boolean copyOut(BlockKey key, MemorySegment into) {
    requireBlock(into);
    int slot = slots.pin(key);
    if (slot == BlockSlots.NONE) {
      return false;
    }
    into.copyFrom(bytesOf(slot));
    boolean good = checksums.length == 0 || BlockChecksum.of(into) == checksums[slot];
    if (!good) {
      failed("damaged", "checksum");
    }
    if (good ? slots.unpin(slot) : slots.discard(slot)) {
      slots.free(slot);
    }
    return good;
  }

  /// The bytes of a slot; a test damages them.
  MemorySegment bytesOf(int slot) {
    return storage.segment(slot).asSlice(storage.offset(slot), storage.blockBytes());
  }

  private void requireBlock(MemorySegment bytes) {
    if (bytes.byteSize() != storage.blockBytes()) {
      throw new IllegalArgumentException(
          "a block has %d bytes, not %d".formatted(storage.blockBytes(), bytes.byteSize()));
    }
  }

  private void failed(String why, String cause) {
    if (counters.failed()) {
      LOG.log(Level.WARNING, "event=tier-failure tier=host why={0} cause=\"{1}\"", why, cause);
    }
  }
}
