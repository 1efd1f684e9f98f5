package io.kvasir.kvcache.tier;

/// Opens a tier once the model, and with it the size of a block, is known.
@FunctionalInterface
public interface TierFactory {

  /// @param fingerprint stands for the model, the number formats, the layout and the arithmetic
  /// @param blockBytes size of every block
  /// @throws java.io.UncheckedIOException where the place cannot be used at all, with a message for
  ///   the person who named it
  Tier open(String fingerprint, long blockBytes);
}
