package io.kvasir.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The owners of keys. Comparing takes the same time wherever two keys differ and whichever of them
/// is right.
final class Tenants {
  private static final HeaderName X_API_KEY = HeaderNames.create("x-api-key");
  private static final String SCHEME = "Bearer ";

  private final List<Owned> keys = new ArrayList<>();

  private static final class Owned {
    private final byte[] digest;
    private final String tenant;

    Owned(byte[] digest, String tenant) {
      this.digest = digest;
      this.tenant = tenant;
    }
  }

  Tenants(Access access) {
    for (Access.Key key : access.keys()) {
      String tenant = key.tenant().isEmpty() ? nameless(key.value()) : key.tenant();
      keys.add(new Owned(digest(key.value()), tenant));
    }
  }

  /// A name for the owner of a key that has none. It follows from the key and not from its place in
  /// the file, which may change while prefixes and conversations stay.
  static String nameless(String key) {
    return "key-" + HexFormat.of().formatHex(digest("name of " + key), 0, 8);
  }

  /// Whether keys have more than one owner.
  boolean areSeveral() {
    return keys.stream().map(key -> key.tenant).distinct().count() > 1;
  }

  boolean areKeysNeeded() {
    return !keys.isEmpty();
  }

  /// The owner of the key that the request has; null where it has none that is known.
  @Nullable String owner(ServerRequest request) {
    String sent = request.headers().first(HeaderNames.AUTHORIZATION).orElse("");
    boolean bearer = sent.regionMatches(true, 0, SCHEME, 0, SCHEME.length());
    String key =
        bearer
            ? sent.substring(SCHEME.length()).strip()
            : request.headers().first(X_API_KEY).orElse("").strip();
    byte[] digest = digest(key);
    String found = null;
    for (Owned each : keys) {
      found = MessageDigest.isEqual(each.digest, digest) ? each.tenant : found;
    }
    return found;
  }

  /// Digests have equal lengths, so that the key's length does not show either.
  private static byte[] digest(String key) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
