package io.kvasir.cli;

import io.kvasir.model.hub.HubConfig;
import io.kvasir.model.hub.HubProxy;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads from the environment what all tools of the hub read from it.
///
/// | Variable | Meaning |
/// |---|---|
/// | `HF_ENDPOINT` | address of the hub or of a mirror |
/// | `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `HF_HOME/token` | access token |
/// | `HF_HUB_CACHE`, else `HF_HOME/hub` | where models are kept |
/// | `HF_HOME`, else `XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface` | the tools' folder |
/// | `HF_HUB_OFFLINE` | 1: never use the network |
/// | `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in lower case | an HTTP proxy without password, and the hosts reached directly |
final class HubSettings {
  private static final Set<String> YES = Set.of("1", "on", "yes", "true");

  private static final int DEFAULT_PROXY_PORT = 80;

  private HubSettings() {}

  static HubConfig of(Map<String, String> environment) {
    Path home = home(environment);
    String cache = environment.get("HF_HUB_CACHE");
    HubConfig config =
        HubConfig.of(isSet(cache) ? Path.of(cache) : home.resolve("hub"))
            .withToken(token(environment, home))
            .withOffline(
                YES.contains(
                    environment.getOrDefault("HF_HUB_OFFLINE", "").toLowerCase(Locale.ROOT)))
            .withProxy(proxy(environment));
    String endpoint = environment.get("HF_ENDPOINT");
    if (!isSet(endpoint)) {
      return config;
    }
    try {
      return config.withEndpoint(URI.create(endpoint));
    } catch (IllegalArgumentException e) {
      throw new FailureException("HF_ENDPOINT: " + e.getMessage(), e);
    }
  }

  private static Path home(Map<String, String> environment) {
    String home = environment.get("HF_HOME");
    if (isSet(home)) {
      return Path.of(home);
    }
    String caches = environment.get("XDG_CACHE_HOME");
    return isSet(caches)
        ? Path.of(caches, "huggingface")
        : Path.of(environment.getOrDefault("HOME", "."), ".cache", "huggingface");
  }

  private static @Nullable String token(Map<String, String> environment, Path home) {
    String token = environment.get("HF_TOKEN");
    if (isSet(token)) {
      return token;
    }
    String named = environment.get("HF_TOKEN_PATH");
    Path file = isSet(named) ? Path.of(named) : home.resolve("token");
    try {
      return Files.isRegularFile(file) ? Files.readString(file).strip() : null;
    } catch (IOException e) {
      throw new FailureException("cannot read the hub token in '" + file + "'", e);
    }
  }

  /// The proxy, null where none is named or it is of a kind that cannot be used.
  private static @Nullable HubProxy proxy(Map<String, String> environment) {
    String named = first(environment, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy");
    if (named == null) {
      return null;
    }
    List<String> direct = new ArrayList<>();
    String without = first(environment, "NO_PROXY", "no_proxy");
    if (without != null) {
      direct.addAll(List.of(without.split(",", -1)));
    }
    try {
      URI uri = URI.create(named.contains("://") ? named.strip() : "http://" + named.strip());
      boolean usable = "http".equalsIgnoreCase(uri.getScheme()) && uri.getHost() != null;
      int port = uri.getPort() < 0 ? DEFAULT_PROXY_PORT : uri.getPort();
      return usable ? new HubProxy(uri.getHost(), port, direct) : null;
    } catch (IllegalArgumentException e) {
      throw new FailureException("the proxy '" + named + "' in HTTPS_PROXY is no address", e);
    }
  }

  private static @Nullable String first(Map<String, String> environment, String... names) {
    for (String name : names) {
      String value = environment.get(name);
      if (isSet(value)) {
        return value;
      }
    }
    return null;
  }

  private static boolean isSet(@Nullable String value) {
    return value != null && !value.isBlank();
  }
}
