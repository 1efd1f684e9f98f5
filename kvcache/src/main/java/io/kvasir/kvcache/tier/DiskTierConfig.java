package io.kvasir.kvcache.tier;

import java.nio.file.Path;

/// How a [DiskTier] is opened.
///
/// @param folder where the files are; made where it is missing
/// @param blockBytes size of every block, 1 .. 2^30
/// @param capacityBytes most bytes of files in the folder, those of other models included
/// @param fingerprint everything that the meaning of a block's bytes depends on beside its key, in
///   any words: model, number format, layout. Blocks of another fingerprint are never given out
public record DiskTierConfig(Path folder, int blockBytes, long capacityBytes, String fingerprint) {
  /// @throws IllegalArgumentException where not even one block fits
  public DiskTierConfig {
    if (blockBytes < 1 || blockBytes > SlabLayout.MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException(
          "block bytes must be in 1..%d: %d".formatted(SlabLayout.MAX_BLOCK_BYTES, blockBytes));
    }
    long least = new SlabLayout(0, 0, blockBytes, 1).fileBytes();
    if (capacityBytes < least) {
      throw new IllegalArgumentException(
          "%d bytes of disk do not hold a block of %d bytes, which takes %d with its header"
              .formatted(capacityBytes, blockBytes, least));
    }
  }
}
