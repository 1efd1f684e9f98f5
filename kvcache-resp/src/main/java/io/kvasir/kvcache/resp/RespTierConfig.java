package io.kvasir.kvcache.resp;

import java.net.URI;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Which store a [RespTier] uses, and for which blocks.
///
/// @param uri `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS; `valkey`
///   and `valkeys` mean the same. Characters of user and password that a URI cannot have are
///   percent-encoded
/// @param blockBytes size of every block
/// @param fingerprint everything that the meaning of a block's bytes depends on beside its key, in
///   any words: model, number format, layout. Blocks of another fingerprint have other names
/// @param caCertificate PEM file of the authority that signed the server's certificate; without it
///   those that Java trusts
/// @param limits times and sizes
public record RespTierConfig(
    URI uri, int blockBytes, String fingerprint, @Nullable Path caCertificate, RespLimits limits) {
  private static final int DEFAULT_PORT = 6379;
  private static final int MAX_PORT = 65_535;

  /// @throws IllegalArgumentException naming what is wrong, never with the password
  public RespTierConfig {
    String place = uri.getHost() + ":" + uri.getPort();
    if (blockBytes < 1 || RespValue.HEADER_BYTES + (long) blockBytes > limits.valueBytes()) {
      throw new IllegalArgumentException(
          "a block of %d bytes with its header of %d exceeds the largest value of %d bytes"
              .formatted(blockBytes, RespValue.HEADER_BYTES, limits.valueBytes()));
    }
    if (RespValue.HEADER_BYTES + (long) blockBytes > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("a block of " + blockBytes + " bytes is too large");
    }
    switch (String.valueOf(uri.getScheme())) {
      case "redis", "rediss", "valkey", "valkeys" -> {}
      default ->
          throw new IllegalArgumentException(
              "a shared store's address begins with redis:// or rediss://, not " + uri.getScheme());
    }
    if (uri.getHost() == null || uri.getPort() > MAX_PORT || uri.getPort() == 0) {
      throw new IllegalArgumentException(
          "a shared store's address needs a host and a port in 1..65535: " + place);
    }
    String credentials = uri.getRawUserInfo();
    if (credentials != null && credentials.indexOf(':') < 0) {
      throw new IllegalArgumentException(
          "the address of the shared store %s has a name before the @ and no password;"
                  .formatted(place)
              + " write USER:PASSWORD@ or :PASSWORD@");
    }
    if (database(uri) < 0) {
      throw new IllegalArgumentException(
          "the database of the shared store %s must be a number: %s"
              .formatted(place, uri.getPath()));
    }
  }

  /// With the default limits and the authorities that Java trusts.
  public static RespTierConfig of(URI uri, int blockBytes, String fingerprint) {
    return new RespTierConfig(uri, blockBytes, fingerprint, null, RespLimits.DEFAULT);
  }

  boolean tls() {
    return uri.getScheme().equals("rediss") || uri.getScheme().equals("valkeys");
  }

  int port() {
    return uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
  }

  int database() {
    return database(uri);
  }

  /// Null for the store's default user.
  @Nullable String user() {
    String credentials = uri.getRawUserInfo();
    String user = credentials == null ? "" : decoded(credentials.split(":", 2)[0]);
    return user.isEmpty() ? null : user;
  }

  @Nullable String password() {
    String credentials = uri.getRawUserInfo();
    return credentials == null ? null : decoded(credentials.split(":", 2)[1]);
  }

  /// Host and port, for messages.
  String place() {
    return uri.getHost() + ":" + port();
  }

  /// Without the password.
  @Override
  public String toString() {
    return "RespTierConfig[%s, blockBytes=%d, fingerprint=%s, %s]"
        .formatted(place(), blockBytes, fingerprint, limits);
  }

  private static int database(URI uri) {
    String path = uri.getPath();
    if (path == null || path.isEmpty() || path.equals("/")) {
      return 0;
    }
    return path.matches("/[0-9]{1,6}") ? Integer.parseInt(path.substring(1)) : -1;
  }

  /// Undoes percent-encoding; the constructor of a URI has checked that it is well-formed.
  private static String decoded(String raw) {
    return URI.create("x:-" + raw).getSchemeSpecificPart().substring(1);
  }
}
