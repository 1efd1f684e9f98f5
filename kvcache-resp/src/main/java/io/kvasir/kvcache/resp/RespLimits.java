package io.kvasir.kvcache.resp;

/// How long to wait for a shared store and how much to ask of it.
///
/// @param connectMillis longest wait for a connection
/// @param readMillis longest silence in the middle of an answer
/// @param connections most connections at a time
/// @param valueBytes largest value that the store takes (`proto-max-bulk-len`, or the provider's)
/// @param ttlSeconds how long a block lives after it was last stored or read; 0 for as long as the
///   store likes
public record RespLimits(
    int connectMillis, int readMillis, int connections, long valueBytes, int ttlSeconds) {
  /// Half a second to connect, one to answer, four connections, values up to 512 MiB as Redis and
  /// Valkey have it, no TTL.
  public static final RespLimits DEFAULT = new RespLimits(500, 1_000, 4, 512L << 20, 0);

  /// @throws IllegalArgumentException naming the value that is out of range
  public RespLimits {
    require(connectMillis > 0, "connect timeout must be positive: ", connectMillis);
    require(readMillis > 0, "read timeout must be positive: ", readMillis);
    require(connections > 0, "connections must be positive: ", connections);
    require(valueBytes > 0, "the largest value must be positive: ", valueBytes);
    require(ttlSeconds >= 0, "the TTL must not be negative: ", ttlSeconds);
  }

  private static void require(boolean holds, String otherwise, long value) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise + value);
    }
  }
}
