package io.kvasir.server;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// How a [KvasirServer] listens.
///
/// @param host name or address to listen on
/// @param port 0 for any free one
/// @param apiKey what clients must send as bearer token; null for no key
/// @param maxBodyBytes largest body of a request
/// @param drain how long requests may go on after the server began to close
/// @param version what `/version` tells
/// @param sessions how many conversations are kept, and where
public record ServerConfig(
    String host,
    int port,
    @Nullable String apiKey,
    int maxBodyBytes,
    Duration drain,
    String version,
    SessionLimits sessions) {

  public static final int DEFAULT_BODY_BYTES = 8 << 20;

  public ServerConfig {
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException("the port must be 0 to 65535, not " + port);
    }
    if (maxBodyBytes < 1) {
      throw new IllegalArgumentException(
          "the largest body must be at least 1 byte, not " + maxBodyBytes);
    }
    if (apiKey != null && apiKey.isBlank()) {
      throw new IllegalArgumentException("the API key is empty");
    }
  }

  /// Listens on loopback without a key.
  public static ServerConfig local(int port) {
    return new ServerConfig(
        "127.0.0.1",
        port,
        null,
        DEFAULT_BODY_BYTES,
        Duration.ofSeconds(30),
        "unknown",
        SessionLimits.DEFAULT);
  }

  public ServerConfig withApiKey(String value) {
    return new ServerConfig(host, port, value, maxBodyBytes, drain, version, sessions);
  }

  public ServerConfig withDrain(Duration value) {
    return new ServerConfig(host, port, apiKey, maxBodyBytes, value, version, sessions);
  }

  public ServerConfig withSessions(SessionLimits value) {
    return new ServerConfig(host, port, apiKey, maxBodyBytes, drain, version, value);
  }

  /// All but the key, which no log shows.
  @Override
  public String toString() {
    return "ServerConfig[host=%s, port=%d, maxBodyBytes=%d, drain=%s]"
        .formatted(host, port, maxBodyBytes, drain);
  }
}
