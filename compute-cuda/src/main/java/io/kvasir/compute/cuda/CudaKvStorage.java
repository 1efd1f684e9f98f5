package io.kvasir.compute.cuda;

import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

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
  private final long fillEvent;
  private final Lane[] lanes = {new Lane(), new Lane()};
  private boolean closed;

  /// A pinned block on its way to the device; made when first used.
  private static final class Lane {
    @Nullable MemorySegment block;
    long copied;
  }

  CudaKvStorage(CudaContext context, long blockBytes, int blockCount) {
    this.context = context;
    this.blockBytes = blockBytes;
    this.blockCount = blockCount;
    long bytes = Math.multiplyExact(blockBytes, blockCount + 1L);
    pool = context.allocate(bytes, "cache blocks");
    stageBytes = Math.min(STAGE_BYTES, blockBytes);
    try {
      context.clear(pool, bytes, context.computeStream());
      stage = context.pinned(stageBytes);
    } catch (CudaException e) {
      context.free(pool);
      throw e;
    }
    try {
      event = context.event();
      fillEvent = context.event();
      for (Lane lane : lanes) {
        lane.copied = context.event();
      }
    } catch (CudaException e) {
      close();
      throw e;
    }
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

  /// Fills one pinned block while the other goes to the device.
  @Override
  public int writeEach(int[] blocks, int from, int count, Filling filling) {
    synchronized (lanes) {
      context.enter();
      long stream = context.copyStream();
      context.order(context.computeStream(), stream, fillEvent);
      int done = 0;
      boolean more = true;
      for (; more && done < count; done += more ? 1 : 0) {
        Lane lane = lanes[done % lanes.length];
        MemorySegment bytes = lane.block;
        if (bytes == null) {
          bytes = context.pinned(blockBytes);
          lane.block = bytes;
        } else {
          context.await(lane.copied);
        }
        more = filling.fill(done, bytes);
        if (more) {
          context.toDevice(address(blocks[from + done]), bytes, blockBytes, stream);
          context.record(lane.copied, stream);
        }
      }
      context.synchronize(stream);
      return done;
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
      destroy(event);
      destroy(fillEvent);
      for (Lane lane : lanes) {
        destroy(lane.copied);
        if (lane.block != null) {
          context.releasePinned(lane.block);
        }
      }
    }
  }

  private void destroy(long ofMine) {
    if (ofMine != 0) {
      context.destroyEvent(ofMine);
    }
  }
}
