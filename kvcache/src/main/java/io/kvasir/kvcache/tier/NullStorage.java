package io.kvasir.kvcache.tier;

import java.lang.foreign.MemorySegment;

/// A storage without bytes: for simulations that need the cache's decisions and not its contents.
public record NullStorage(long blockBytes, int blockCount) implements KvStorage {
  @Override
  public void copy(int from, int to) {}

  @Override
  public void read(int block, MemorySegment into) {}

  @Override
  public void write(int block, MemorySegment from) {}

  @Override
  public long residentBytes() {
    return 0;
  }

  @Override
  public void close() {}
}
