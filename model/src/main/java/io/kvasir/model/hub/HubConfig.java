package io.kvasir.model.hub;

import java.net.URI;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Everything the hub client is told from outside.
///
/// @param endpoint address of the hub, `http` or `https`, with or without a path, no trailing slash
/// @param token access token, sent to the endpoint's own host only; null for anonymous use
/// @param cacheFolder root of the shared cache, usually `~/.cache/huggingface/hub`
/// @param offline true: never touch the network
/// @param userAgent how requests name this program
/// @param transfer timeouts, retries, connections
/// @param proxy how the hub is reached; null for directly
public record HubConfig(
    URI endpoint,
    @Nullable String token,
    Path cacheFolder,
    boolean offline,
    String userAgent,
    TransferConfig transfer,
    @Nullable HubProxy proxy) {

  /// The public hub.
  public static final URI DEFAULT_ENDPOINT = URI.create("https://huggingface.co");

  public HubConfig {
    String scheme = endpoint.getScheme() == null ? "" : endpoint.getScheme();
    if (!scheme.toLowerCase(Locale.ROOT).matches("https?") || endpoint.getHost() == null) {
      throw new IllegalArgumentException(
          "the hub endpoint must be an http or https address, not '" + endpoint + "'");
    }
    if (endpoint.getRawQuery() != null || endpoint.getRawFragment() != null) {
      throw new IllegalArgumentException(
          "the hub endpoint must have no query or fragment: '" + endpoint + "'");
    }
    String text = endpoint.toString();
    if (text.endsWith("/")) {
      endpoint = URI.create(text.replaceAll("/+$", ""));
    }
    if (token != null) {
      token = token.strip();
      if (token.isEmpty()) {
        token = null;
      } else if (!token.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
        throw new IllegalArgumentException(
            "the hub token has characters that no token has; copy it again from the hub's settings");
      }
    }
  }

  /// Anonymous access to the public hub.
  public static HubConfig of(Path cacheFolder) {
    return new HubConfig(
        DEFAULT_ENDPOINT, null, cacheFolder, false, "kvasir", TransferConfig.DEFAULT, null);
  }

  public HubConfig withEndpoint(URI other) {
    return new HubConfig(other, token, cacheFolder, offline, userAgent, transfer, proxy);
  }

  public HubConfig withToken(@Nullable String other) {
    return new HubConfig(endpoint, other, cacheFolder, offline, userAgent, transfer, proxy);
  }

  public HubConfig withOffline(boolean other) {
    return new HubConfig(endpoint, token, cacheFolder, other, userAgent, transfer, proxy);
  }

  public HubConfig withUserAgent(String other) {
    return new HubConfig(endpoint, token, cacheFolder, offline, other, transfer, proxy);
  }

  public HubConfig withTransfer(TransferConfig other) {
    return new HubConfig(endpoint, token, cacheFolder, offline, userAgent, other, proxy);
  }

  public HubConfig withProxy(@Nullable HubProxy other) {
    return new HubConfig(endpoint, token, cacheFolder, offline, userAgent, transfer, other);
  }

  /// Names endpoint and folder; never the token.
  @Override
  public String toString() {
    return "HubConfig[endpoint="
        + endpoint
        + ", token="
        + (token == null ? "none" : "set")
        + ", cacheFolder="
        + cacheFolder
        + ", offline="
        + offline
        + "]";
  }
}
