package io.kvasir.kvcache.tier;

/// How an [Offloader] works.
///
/// @param fingerprint stands for everything but tokens and salt that decides a block's bytes
/// @param stagingBytes memory for copies of blocks on their way down; at least one block is staged
/// @param storeBytesPerSecond most bytes stored a second, over all tiers; 0 for no limit
/// @param threads threads that read the tiers, and as many that write them
public record OffloadConfig(
    String fingerprint, long stagingBytes, long storeBytesPerSecond, int threads) {

  public OffloadConfig {
    if (stagingBytes < 0) {
      throw new IllegalArgumentException("staging of " + stagingBytes + " bytes");
    }
    if (storeBytesPerSecond < 0) {
      throw new IllegalArgumentException(
          "a limit of " + storeBytesPerSecond + " stored bytes a second");
    }
    if (threads < 1) {
      throw new IllegalArgumentException("an offloader of " + threads + " threads");
    }
  }

  /// 64 MiB of staging, no limit, two threads.
  public static OffloadConfig of(String fingerprint) {
    return new OffloadConfig(fingerprint, 64L << 20, 0, 2);
  }
}
