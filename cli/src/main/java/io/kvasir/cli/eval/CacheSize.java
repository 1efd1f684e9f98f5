package io.kvasir.cli.eval;

import io.kvasir.kvcache.KvLayout;

/// Bytes of a cache.
///
/// @param perToken bytes that one more token adds once everything exact is in place: codes and
///   scales, without padding
/// @param held bytes of all blocks held by the longest document, exact rows and padding included
/// @param tokens length of that document
public record CacheSize(double perToken, long held, int tokens) {

  static CacheSize of(KvLayout layout, long held, int tokens) {
    return new CacheSize(layout.payloadBytesPerToken(), held, tokens);
  }

  /// Bytes per token at the length used.
  public double meanPerToken() {
    return (double) held / tokens;
  }
}
