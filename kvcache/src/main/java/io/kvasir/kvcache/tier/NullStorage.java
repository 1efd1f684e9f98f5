package io.kvasir.kvcache.tier;

/// A storage without bytes: for simulations that need the cache's decisions and not its contents.
public record NullStorage(long blockBytes, int blockCount) implements KvStorage {
  @Override
  public void copy(int from, int to) {}

  @Override
  public long residentBytes() {
    return 0;
  }

  @Override
  public void close() {}
}
