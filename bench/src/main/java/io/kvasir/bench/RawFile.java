package io.kvasir.bench;

import io.kvasir.kvcache.tier.BlockKey;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierStats;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/// Blocks in a plain file, at the place that their number gives: what a disk tier costs at least.
final class RawFile implements Tier {
  private final FileChannel channel;
  private final int blockBytes;
  private final int count;

  RawFile(Path file, int blockBytes, int count) throws IOException {
    this.channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    this.blockBytes = blockBytes;
    this.count = count;
  }

  @Override
  public String name() {
    return "raw";
  }

  @Override
  public boolean contains(BlockKey key) {
    return true;
  }

  @Override
  public boolean store(BlockKey key, MemorySegment bytes) {
    try {
      ByteBuffer from = bytes.asByteBuffer();
      while (from.hasRemaining()) {
        channel.write(from, placeOf(key) + from.position());
      }
      return true;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public int load(List<BlockKey> keys, List<MemorySegment> into) {
    try {
      for (int i = 0; i < keys.size(); i++) {
        ByteBuffer to = into.get(i).asByteBuffer();
        while (to.hasRemaining()) {
          channel.read(to, placeOf(keys.get(i)) + to.position());
        }
      }
      return keys.size();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public TierStats stats() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void verify() {}

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private long placeOf(BlockKey key) {
    return key.high() % count * blockBytes;
  }
}
