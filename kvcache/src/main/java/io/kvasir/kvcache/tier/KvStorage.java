package io.kvasir.kvcache.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Memory for a fixed number of equal blocks, addressed by block id `0 .. blockCount - 1`.
///
/// A storage knows bytes and ids only: which tokens a block holds and who uses it is the cache's
/// business. Not safe for concurrent changes; reads of different blocks may run in parallel.
public interface KvStorage extends AutoCloseable {

  long blockBytes();

  int blockCount();

  /// Copies all bytes of block `from` over block `to`.
  void copy(int from, int to);

  /// The block's own memory where this process can read and write it directly, else null: then
  /// [#read] and [#write] move bytes.
  default @Nullable MemorySegment view(int block) {
    return null;
  }

  /// Copies the block's bytes to `into`, of [#blockBytes].
  void read(int block, MemorySegment into);

  /// Copies `from`, of [#blockBytes], over the block.
  void write(int block, MemorySegment from);

  /// Fills memory with a block's bytes.
  @FunctionalInterface
  interface Filling {
    /// @param index counted from 0 within the call
    /// @return false where there are none, and nothing behind is asked for
    boolean fill(int index, MemorySegment into);
  }

  /// Writes one block after the other, each filled in memory from which the device copies fastest,
  /// maybe the next one while a copy is under way.
  ///
  /// @param blocks ids, of which those at `from .. from + count - 1` are written
  /// @return how many were filled and written
  default int writeEach(int[] blocks, int from, int count, Filling filling) {
    try (Arena buffer = Arena.ofConfined()) {
      MemorySegment bytes = buffer.allocate(blockBytes(), 64);
      int done = 0;
      while (done < count && filling.fill(done, bytes)) {
        write(blocks[from + done], bytes);
        done++;
      }
      return done;
    }
  }

  /// Bytes that the storage holds from the operating system or the device right now.
  long residentBytes();

  @Override
  void close();
}
