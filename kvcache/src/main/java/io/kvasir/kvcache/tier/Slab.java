package io.kvasir.kvcache.tier;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// One open slab file. See [SlabLayout] for its bytes.
///
/// A block is written in an order that makes a process killed at any point leave a free slot or a
/// whole block: the record is zeroed, the block is written, the record is written. Nothing is
/// forced to the device, so a machine that loses power may have any of the three and not the
/// others; then the checksum of record or block fails.
///
/// Any thread may call; two must not use one slot at a time, which [BlockSlots] sees to.
final class Slab implements AutoCloseable {
  /// Opens the file at first and whenever an interrupted thread made the channel close itself.
  interface Opener {
    FileChannel open(Path path) throws IOException;
  }

  private static final int REOPENINGS = 16;

  private final SlabLayout layout;
  private final Path path;
  private final Opener opener;
  private volatile FileChannel channel;
  private volatile boolean closed;

  Slab(SlabLayout layout, Path path, Opener opener) throws IOException {
    this.layout = layout;
    this.path = path;
    this.opener = opener;
    this.channel = opener.open(path);
  }

  SlabLayout layout() {
    return layout;
  }

  Path path() {
    return path;
  }

  /// Writes a block over whatever the slot had.
  void write(int slot, BlockKey key, MemorySegment bytes, long used) throws IOException {
    erase(slot);
    write(bytes.asByteBuffer(), layout.blockAt(slot));
    write(layout.record(key, BlockChecksum.of(bytes), slot), layout.recordAt(slot));
    writeUsed(slot, used);
  }

  /// Makes the slot a free one.
  void erase(int slot) throws IOException {
    write(ByteBuffer.allocate(SlabLayout.RECORD_BYTES), layout.recordAt(slot));
  }

  void writeUsed(int slot, long used) throws IOException {
    ByteBuffer out = ByteBuffer.allocate(SlabLayout.USED_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    write(out.putLong(0, used), layout.usedAt(slot));
  }

  /// Reads the block if the slot holds that of the key.
  ///
  /// @return whether it does and the bytes agree with their checksum; else `into` may hold anything
  /// @throws IOException where the file cannot be read
  boolean read(int slot, BlockKey key, MemorySegment into) throws IOException {
    try {
      SlabLayout.Stored stored = recordOf(slot);
      if (stored == null || !stored.key().equals(key)) {
        return false;
      }
      read(into.asByteBuffer(), layout.blockAt(slot));
      return BlockChecksum.of(into) == stored.checksum();
    } catch (EOFException e) {
      return false;
    }
  }

  /// Whether the slot's record is that of the key.
  boolean has(int slot, BlockKey key) throws IOException {
    SlabLayout.Stored stored = recordOf(slot);
    return stored != null && stored.key().equals(key);
  }

  /// Receives one slot of [#scan].
  interface Visitor {
    /// @param stored null for a free slot and for a damaged one
    void slot(int slot, SlabLayout.@Nullable Stored stored, long used, boolean damaged);
  }

  /// Reads all records.
  void scan(Visitor visitor) throws IOException {
    int slots = layout.slots();
    ByteBuffer records = ByteBuffer.allocate(slots * SlabLayout.RECORD_BYTES);
    ByteBuffer used = ByteBuffer.allocate(slots * SlabLayout.USED_BYTES);
    read(records, layout.recordAt(0));
    read(used, layout.usedAt(0));
    used.order(ByteOrder.LITTLE_ENDIAN);
    for (int slot = 0; slot < slots; slot++) {
      int at = slot * SlabLayout.RECORD_BYTES;
      SlabLayout.Stored stored = stored(records, at, slot);
      boolean damaged = stored == null && records.getInt(at) != 0;
      visitor.slot(slot, stored, used.getLong(slot * SlabLayout.USED_BYTES), damaged);
    }
  }

  @Override
  public void close() throws IOException {
    synchronized (this) {
      closed = true;
    }
    channel.close();
  }

  private SlabLayout.@Nullable Stored recordOf(int slot) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(SlabLayout.RECORD_BYTES);
    read(bytes, layout.recordAt(slot));
    return stored(bytes, 0, slot);
  }

  private SlabLayout.@Nullable Stored stored(ByteBuffer bytes, int at, int slot) {
    try {
      return layout.record(bytes, at, slot);
    } catch (IOException e) {
      return null;
    }
  }

  private void write(ByteBuffer bytes, long at) throws IOException {
    transfer(bytes, at, true);
  }

  private void read(ByteBuffer bytes, long at) throws IOException {
    transfer(bytes, at, false);
  }

  /// Moves all bytes. The platform closes a channel for everybody when one thread is interrupted in
  /// it; it is opened again and the thread learns of its interruption afterwards.
  private void transfer(ByteBuffer bytes, long at, boolean out) throws IOException {
    boolean interrupted = false;
    int start = bytes.position();
    try {
      for (int attempt = 0; ; attempt++) {
        FileChannel open = channel;
        try {
          transfer(open, bytes, at - start, out);
          return;
        } catch (ClosedChannelException e) {
          interrupted |= Thread.interrupted();
          reopen(open, e, attempt);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static void transfer(FileChannel open, ByteBuffer bytes, long base, boolean out)
      throws IOException {
    while (bytes.hasRemaining()) {
      long at = base + bytes.position();
      int moved = out ? open.write(bytes, at) : open.read(bytes, at);
      if (moved < 0) {
        throw new EOFException("the file ends at " + at);
      }
    }
  }

  private synchronized void reopen(FileChannel broken, ClosedChannelException cause, int attempt)
      throws IOException {
    if (closed || attempt == REOPENINGS) {
      throw cause;
    }
    if (channel.equals(broken)) {
      channel = opener.open(path);
    }
  }
}
