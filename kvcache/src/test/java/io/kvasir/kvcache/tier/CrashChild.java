package io.kvasir.kvcache.tier;

import io.kvasir.kvcache.contract.BlockOracle;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/// A process that stores, reads and thereby evicts blocks at random until it is killed. Waits for a
/// byte on standard input, so that the virtual machine is up by then, and says `o` on standard
/// output when the folder is open. A wrong block ends it with status 3.
final class CrashChild {
  static final int BLOCK = 64 << 10;
  static final int NUMBERS = 200;

  private CrashChild() {}

  static DiskTierConfig config(Path folder) {
    long bytes = new SlabLayout(0, 0, BLOCK, 48).fileBytes() + BLOCK;
    return new DiskTierConfig(folder, BLOCK, bytes, "crash");
  }

  /// @param args folder, seed
  public static void main(String[] args) throws IOException {
    SplittableRandom random = new SplittableRandom(Long.parseLong(args[1]));
    MemorySegment block = BlockOracle.empty(BLOCK);
    if (System.in.read() < 0) {
      return;
    }
    try (DiskTier tier = DiskTier.open(config(Path.of(args[0])))) {
      System.out.write('o');
      System.out.flush();
      while (true) {
        BlockKey key = BlockOracle.key(random.nextInt(NUMBERS));
        if (random.nextInt(4) > 0) {
          BlockOracle.fill(key, block);
          tier.store(key, block);
        } else if (tier.load(List.of(key), List.of(block)) == 1
            && !BlockOracle.isBlockOf(key, block)) {
          System.exit(3);
        }
      }
    }
  }
}
