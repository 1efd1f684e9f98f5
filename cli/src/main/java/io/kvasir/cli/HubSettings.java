package io.kvasir.cli;

import io.kvasir.model.hub.HubConfig;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
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
final class HubSettings {
  private static final Set<String> YES = Set.of("1", "on", "yes", "true");

  private HubSettings() {}

  static HubConfig of(Map<String, String> environment) {
    Path home = home(environment);
    String cache = environment.get("HF_HUB_CACHE");
    HubConfig config =
        HubConfig.of(isSet(cache) ? Path.of(cache) : home.resolve("hub"))
            .withToken(token(environment, home))
            .withOffline(
                YES.contains(
                    environment.getOrDefault("HF_HUB_OFFLINE", "").toLowerCase(Locale.ROOT)));
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

  private static boolean isSet(@Nullable String value) {
    return value != null && !value.isBlank();
  }
}
