package io.kvasir.bench;

import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Fills cache blocks with moderate numbers.
final class BlockFill {
  private BlockFill() {}

  /// Bytes of [BenchMemory#moderate].
  static void random(KvStorage storage, String format) {
    HostStorage host = (HostStorage) storage;
    SplittableRandom random = new SplittableRandom(format.hashCode());
    for (int block = 0; block < host.blockCount(); block++) {
      MemorySegment bytes = host.segment(block).asSlice(host.offset(block), host.blockBytes());
      for (long at = 0; at < bytes.byteSize(); at += 8) {
        bytes.set(ValueLayout.JAVA_LONG, at, BenchMemory.moderate(random));
      }
    }
  }
}
