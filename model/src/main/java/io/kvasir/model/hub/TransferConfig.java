package io.kvasir.model.hub;

import java.time.Duration;

/// How bytes travel.
///
/// @param connections most connections used for one file at a time
/// @param segmentBytes length of the pieces that the connections fetch; a smaller file is one piece
/// @param attempts how often in a row one request may fail before the download gives up
/// @param firstBackoff pause after the first failure; it doubles with each further one
/// @param longestWait longest pause, also where the server asks for more
/// @param connectTimeout time to reach the server and, again, to get its answer's headers
/// @param stallTimeout a connection that delivers nothing for this long counts as cut
public record TransferConfig(
    int connections,
    long segmentBytes,
    int attempts,
    Duration firstBackoff,
    Duration longestWait,
    Duration connectTimeout,
    Duration stallTimeout) {

  /// 4 connections, 32 MiB pieces, 5 attempts.
  public static final TransferConfig DEFAULT =
      new TransferConfig(
          4,
          32L << 20,
          5,
          Duration.ofMillis(500),
          Duration.ofSeconds(60),
          Duration.ofSeconds(20),
          Duration.ofSeconds(30));

  public TransferConfig {
    if (connections < 1 || connections > 64) {
      throw new IllegalArgumentException("connections must be 1 to 64, not " + connections);
    }
    if (segmentBytes < 1024) {
      throw new IllegalArgumentException("segmentBytes must be at least 1024, not " + segmentBytes);
    }
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts must be at least 1, not " + attempts);
    }
  }

  public TransferConfig withConnections(int count) {
    return new TransferConfig(
        count, segmentBytes, attempts, firstBackoff, longestWait, connectTimeout, stallTimeout);
  }
}
