package io.kvasir.kvcache;

import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// A storage whose blocks can be put out of this process's reach, as on a GPU: then bytes are moved
/// block by block.
final class FarStorage implements KvStorage {
  private final KvStorage near;
  boolean isFar;

  FarStorage(KvStorage near) {
    this.near = near;
  }

  @Override
  public long blockBytes() {
    return near.blockBytes();
  }

  @Override
  public int blockCount() {
    return near.blockCount();
  }

  @Override
  public void copy(int from, int to) {
    near.copy(from, to);
  }

  @Override
  public @Nullable MemorySegment view(int block) {
    return isFar ? null : near.view(block);
  }

  @Override
  public void read(int block, MemorySegment into) {
    near.read(block, into);
  }

  @Override
  public void write(int block, MemorySegment from) {
    near.write(block, from);
  }

  @Override
  public long residentBytes() {
    return near.residentBytes();
  }

  @Override
  public void close() {
    near.close();
  }
}
