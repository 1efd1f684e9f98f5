package io.kvasir.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.Set;

/// Lets in only who knows the key, sent as bearer token or as `x-api-key`, apart from the routes
/// that say whether the server lives. The comparison takes the same time wherever two keys differ.
final class ApiKey implements Filter {
  private static final Set<String> OPEN = Set.of("/health", "/live", "/ready");
  private static final HeaderName ANTHROPIC = HeaderNames.create("x-api-key");
  private static final String SCHEME = "Bearer ";

  private final byte[] digest;
  private final Set<String> open;

  /// @param page where the page's files are: it asks for the key itself
  ApiKey(String key, Set<String> page) {
    this.digest = digest(key);
    this.open = new HashSet<>(OPEN);
    open.addAll(page);
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (!open.contains(request.path().path()) && !isRight(request)) {
      response.header(HeaderNames.CONNECTION, "close");
      Wire.send(
          request,
          response,
          new ApiException(401, "the API key is missing or wrong", null, "invalid_api_key"));
      return;
    }
    chain.proceed();
  }

  private boolean isRight(RoutingRequest request) {
    String own = request.headers().first(ANTHROPIC).orElse("");
    if (!own.isEmpty()) {
      return MessageDigest.isEqual(digest, digest(own.strip()));
    }
    String sent = request.headers().first(HeaderNames.AUTHORIZATION).orElse("");
    if (!sent.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return false;
    }
    return MessageDigest.isEqual(digest, digest(sent.substring(SCHEME.length()).strip()));
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
