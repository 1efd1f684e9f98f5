package io.kvasir.kvcache.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Blocks in native memory of this process.
///
/// Memory comes in slabs of several blocks that are allocated when a block of theirs is first
/// touched, so a large capacity costs nothing until it is used. Blocks start at multiples of 64
/// bytes.
///
/// Growing a slab is guarded, so readers and writers of *different* blocks may run on several
/// threads.
public final class HostStorage implements KvStorage {
  private static final long SLAB_BYTES = 16L << 20;
  private static final long ALIGNMENT = 64;

  private final Arena arena = Arena.ofShared();
  private final long blockBytes;
  private final int blockCount;
  private final int slabBlocks;
  private final @Nullable MemorySegment[] slabs;
  private volatile long residentBytes;

  /// @throws IllegalArgumentException where a size is not positive or blocks are not 64-byte
  ///   multiples
  public HostStorage(long blockBytes, int blockCount) {
    if (blockBytes <= 0 || blockBytes % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "block bytes must be a positive multiple of " + ALIGNMENT + ": " + blockBytes);
    }
    if (blockCount < 0) {
      throw new IllegalArgumentException("block count must not be negative: " + blockCount);
    }
    this.blockBytes = blockBytes;
    this.blockCount = blockCount;
    this.slabBlocks = (int) Math.max(1, Math.min(blockCount, SLAB_BYTES / blockBytes));
    this.slabs = new MemorySegment[(blockCount + slabBlocks - 1) / slabBlocks];
  }

  /// The segment that holds the block; its bytes start at [#offset].
  public MemorySegment segment(int block) {
    Objects.checkIndex(block, blockCount);
    MemorySegment slab = slabs[block / slabBlocks];
    return slab != null ? slab : allocate(block / slabBlocks);
  }

  /// Where the block starts in its [#segment], in bytes.
  public long offset(int block) {
    return block % slabBlocks * blockBytes;
  }

  @Override
  public long blockBytes() {
    return blockBytes;
  }

  @Override
  public int blockCount() {
    return blockCount;
  }

  @Override
  public void copy(int from, int to) {
    MemorySegment.copy(segment(from), offset(from), segment(to), offset(to), blockBytes);
  }

  @Override
  public MemorySegment view(int block) {
    return segment(block).asSlice(offset(block), blockBytes);
  }

  @Override
  public void read(int block, MemorySegment into) {
    MemorySegment.copy(segment(block), offset(block), into, 0, blockBytes);
  }

  @Override
  public void write(int block, MemorySegment from) {
    MemorySegment.copy(from, 0, segment(block), offset(block), blockBytes);
  }

  @Override
  public long residentBytes() {
    return residentBytes;
  }

  @Override
  public void close() {
    arena.close();
  }

  private synchronized MemorySegment allocate(int slab) {
    MemorySegment present = slabs[slab];
    if (present != null) {
      return present;
    }
    int blocks = Math.min(slabBlocks, blockCount - slab * slabBlocks);
    MemorySegment fresh = arena.allocate(blocks * blockBytes, ALIGNMENT);
    slabs[slab] = fresh;
    residentBytes += fresh.byteSize();
    return fresh;
  }
}
