package io.kvasir.server;

import java.time.Duration;

/// How much of a server clients may take up, however they behave.
///
/// @param bodyBytes largest body of a request
/// @param bodiesBytes bodies that are held in memory at once, over all requests
/// @param headBytes largest head of a request
/// @param connections most connections; more wait until one is closed
/// @param requests most requests that generate at once, waiting ones included
/// @param head longest time for a request's head, from its first byte
/// @param body longest time for its body
/// @param idle how long a connection may wait for its next request
/// @param write longest time for one write: a client that reads nothing for so long is dropped
/// @param queue longest time that a request waits for the engine to start it; zero for no limit
public record ServerLimits(
    int bodyBytes,
    long bodiesBytes,
    int headBytes,
    int connections,
    int requests,
    Duration head,
    Duration body,
    Duration idle,
    Duration write,
    Duration queue) {

  public static final ServerLimits DEFAULT =
      new ServerLimits(
          8 << 20,
          64 << 20,
          32 << 10,
          4_096,
          2_048,
          Duration.ofSeconds(10),
          Duration.ofSeconds(60),
          Duration.ofMinutes(5),
          Duration.ofSeconds(30),
          Duration.ZERO);

  public ServerLimits {
    atLeastOne("the largest body", bodyBytes);
    atLeastOne("the memory for bodies", bodiesBytes);
    atLeastOne("the largest head", headBytes);
    atLeastOne("the number of connections", connections);
    atLeastOne("the number of requests", requests);
    for (Duration each : new Duration[] {head, body, idle, write}) {
      if (each.toMillis() < 1) {
        throw new IllegalArgumentException("a time limit must be at least 1 ms, not " + each);
      }
    }
    if (queue.isNegative()) {
      throw new IllegalArgumentException("the longest wait must not be negative, but is " + queue);
    }
  }

  private static void atLeastOne(String what, long value) {
    if (value < 1) {
      throw new IllegalArgumentException(what + " must be at least 1, not " + value);
    }
  }

  public ServerLimits withBodyBytes(int value) {
    return new ServerLimits(
        value, bodiesBytes, headBytes, connections, requests, head, body, idle, write, queue);
  }

  public ServerLimits withBodiesBytes(long value) {
    return new ServerLimits(
        bodyBytes, value, headBytes, connections, requests, head, body, idle, write, queue);
  }

  public ServerLimits withConnections(int value) {
    return new ServerLimits(
        bodyBytes, bodiesBytes, headBytes, value, requests, head, body, idle, write, queue);
  }

  public ServerLimits withRequests(int value) {
    return new ServerLimits(
        bodyBytes, bodiesBytes, headBytes, connections, value, head, body, idle, write, queue);
  }

  /// @param headTime see [#head]
  /// @param bodyTime see [#body]
  /// @param idleTime see [#idle]
  /// @param writeTime see [#write]
  public ServerLimits withTimes(
      Duration headTime, Duration bodyTime, Duration idleTime, Duration writeTime) {
    return new ServerLimits(
        bodyBytes,
        bodiesBytes,
        headBytes,
        connections,
        requests,
        headTime,
        bodyTime,
        idleTime,
        writeTime,
        queue);
  }

  public ServerLimits withQueue(Duration value) {
    return new ServerLimits(
        bodyBytes, bodiesBytes, headBytes, connections, requests, head, body, idle, write, value);
  }
}
