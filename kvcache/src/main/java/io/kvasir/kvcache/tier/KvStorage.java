package io.kvasir.kvcache.tier;

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

  /// Bytes that the storage holds from the operating system or the device right now.
  long residentBytes();

  @Override
  void close();
}
