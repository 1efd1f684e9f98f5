package io.kvasir.compute.cuda;

import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Cache blocks in one range of the device's memory, in the byte layout that they have on the host.
///
/// Blocks go to and from the host through pinned memory on a stream of their own, so that kernels
/// run on meanwhile; a copy waits for what was computed when it was asked for. Any thread may read
/// and write blocks, one at a time.
final class CudaKvStorage implements KvStorage {
  private static final long STAGE_BYTES = 4L << 20;

  private final CudaContext context;
  private final long blockBytes;
  private final int blockCount;
  private final long pool;
  private final long stageBytes;
  private final MemorySegment stage;
  private final long event;
  private boolean closed;

  CudaKvStorage(CudaContext context, long blockBytes, int blockCount) {
    this.context = context;
    this.blockBytes = blockBytes;
    this.blockCount = blockCount;
    long bytes = Math.multiplyExact(blockBytes, blockCount + 1L);
    pool = context.allocate(bytes, "cache blocks");
    context.clear(pool, bytes, context.computeStream());
    stageBytes = Math.min(STAGE_BYTES, blockBytes);
    stage = context.pinned(stageBytes);
    event = context.event();
  }

  /// A block beside those of the cache: rows that belong to no sequence write to it.
  int spareBlock() {
    return blockCount;
  }

  /// Device address of block 0.
  long pool() {
    return pool;
  }

  @Override
  public long blockBytes() {
    return blockBytes;
  }

  @Override
  public int blockCount() {
    return blockCount;
  }

  /// Device address of a block.
  long address(int block) {
    return pool + Objects.checkIndex(block, blockCount) * blockBytes;
  }

  @Override
  public synchronized void copy(int from, int to) {
    context.enter();
    context.withinDevice(address(to), address(from), blockBytes, context.computeStream());
  }

  @Override
  public void read(int block, MemorySegment into) {
    read(address(block), into, blockBytes);
  }

  /// Copies bytes of the pool, from a device address on.
  synchronized void read(long address, MemorySegment into, long bytes) {
    context.enter();
    context.order(context.computeStream(), context.copyStream(), event);
    for (long done = 0; done < bytes; done += stageBytes) {
      long part = Math.min(stageBytes, bytes - done);
      context.toHost(stage, address + done, part, context.copyStream());
      context.synchronize(context.copyStream());
      MemorySegment.copy(stage, 0, into, done, part);
    }
  }

  @Override
  public void write(int block, MemorySegment from) {
    write(address(block), from, blockBytes);
  }

  synchronized void write(long address, MemorySegment from, long bytes) {
    context.enter();
    context.order(context.computeStream(), context.copyStream(), event);
    for (long done = 0; done < bytes; done += stageBytes) {
      long part = Math.min(stageBytes, bytes - done);
      MemorySegment.copy(from, done, stage, 0, part);
      context.toDevice(address + done, stage, part, context.copyStream());
      context.synchronize(context.copyStream());
    }
  }

  @Override
  public long residentBytes() {
    return closed ? 0 : blockBytes * blockCount;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      context.enter();
      context.synchronize(context.computeStream());
      context.synchronize(context.copyStream());
      context.free(pool);
      context.releasePinned(stage);
      context.destroyEvent(event);
    }
  }
}
