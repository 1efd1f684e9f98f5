package io.kvasir.server;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// How a [KvasirServer] listens.
///
/// @param host name or address to listen on
/// @param port 0 for any free one
/// @param access who may use it
/// @param limits how much of it
/// @param tls for HTTPS; null for plain HTTP
/// @param drain how long requests may go on after the server began to close
/// @param version what `/version` tells
/// @param sessions how many conversations are kept, and where
/// @param watch who is told of requests and answers
public record ServerConfig(
    String host,
    int port,
    Access access,
    ServerLimits limits,
    @Nullable TlsFiles tls,
    Duration drain,
    String version,
    SessionLimits sessions,
    ServerWatch watch) {

  public ServerConfig {
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException("the port must be 0 to 65535, not " + port);
    }
  }

  /// Largest body of a request.
  int maxBodyBytes() {
    return limits.bodyBytes();
  }

  /// Listens on loopback without a key.
  public static ServerConfig local(int port) {
    return new ServerConfig(
        "127.0.0.1",
        port,
        Access.OPEN,
        ServerLimits.DEFAULT,
        null,
        Duration.ofSeconds(30),
        "unknown",
        SessionLimits.DEFAULT,
        ServerWatch.NOBODY);
  }

  public ServerConfig withHost(String value) {
    return new ServerConfig(value, port, access, limits, tls, drain, version, sessions, watch);
  }

  public ServerConfig withAccess(Access value) {
    return new ServerConfig(host, port, value, limits, tls, drain, version, sessions, watch);
  }

  /// One key for all.
  public ServerConfig withApiKey(String value) {
    return withAccess(access.withKeys(List.of(new Access.Key("", value))));
  }

  public ServerConfig withLimits(ServerLimits value) {
    return new ServerConfig(host, port, access, value, tls, drain, version, sessions, watch);
  }

  public ServerConfig withTls(TlsFiles value) {
    return new ServerConfig(host, port, access, limits, value, drain, version, sessions, watch);
  }

  public ServerConfig withDrain(Duration value) {
    return new ServerConfig(host, port, access, limits, tls, value, version, sessions, watch);
  }

  public ServerConfig withVersion(String value) {
    return new ServerConfig(host, port, access, limits, tls, drain, value, sessions, watch);
  }

  public ServerConfig withWatch(ServerWatch value) {
    return new ServerConfig(host, port, access, limits, tls, drain, version, sessions, value);
  }

  public ServerConfig withSessions(SessionLimits value) {
    return new ServerConfig(host, port, access, limits, tls, drain, version, value, watch);
  }
}
