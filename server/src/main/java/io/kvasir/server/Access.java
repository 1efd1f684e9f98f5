package io.kvasir.server;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Who may use a server, and how much.
///
/// @param keys what clients must send one of; empty for no key
/// @param sharePrefixes whether cached prefixes are shared between keys: faster, but how long an
///   answer takes to begin then tells whether somebody else has sent the same prompt
/// @param requestsPerMinute most requests of one tenant in a minute; 0 for no limit
/// @param origins web pages of other servers that browsers let use this one, such as
///   `https://example.org`; `*` for all
/// @param hosts names by which the server may be asked for, besides loopback's and its own
public record Access(
    List<Key> keys,
    boolean sharePrefixes,
    int requestsPerMinute,
    Set<String> origins,
    Set<String> hosts) {

  /// Anybody who reaches the server.
  public static final Access OPEN = new Access(List.of(), false, 0, Set.of(), Set.of());

  private static final int MOST_KEYS = 10_000;
  private static final int LONGEST_KEY = 1_000;

  public Access {
    keys = List.copyOf(keys);
    origins = Set.copyOf(origins);
    hosts = Set.copyOf(hosts);
    if (requestsPerMinute < 0) {
      throw new IllegalArgumentException(
          "a rate limit of " + requestsPerMinute + " requests per minute");
    }
    if (keys.size() > MOST_KEYS) {
      throw new IllegalArgumentException(
          "at most %d API keys are allowed, not %d".formatted(MOST_KEYS, keys.size()));
    }
    if (new HashSet<>(keys.stream().map(Key::value).toList()).size() < keys.size()) {
      throw new IllegalArgumentException("an API key is there twice");
    }
  }

  /// A key and whom it belongs to.
  ///
  /// @param tenant the owner's name, which logs show; keys of equal names share prefixes; empty for
  ///   an owner without a name, who gets one that follows from the key
  public record Key(String tenant, String value) {
    public Key {
      if (value.isBlank()) {
        throw new IllegalArgumentException("the API key is empty");
      }
      if (value.length() > LONGEST_KEY || !value.chars().allMatch(c -> c > ' ' && c < 127)) {
        throw new IllegalArgumentException(
            "an API key must consist of at most %d visible ASCII characters"
                .formatted(LONGEST_KEY));
      }
      if (!tenant.matches("[A-Za-z0-9._-]{0,64}")) {
        throw new IllegalArgumentException(
            "the name of a key's owner may have up to 64 letters, digits, dots, dashes and underscores");
      }
    }

    /// Not the key.
    @Override
    public String toString() {
      return "Key[" + tenant + "]";
    }
  }

  /// Reads a file of keys: one a line, alone or as `name:key`; empty lines and lines that begin
  /// with `#` are skipped.
  public static List<Key> parse(String file) {
    List<Key> keys = new ArrayList<>();
    for (String line : file.lines().map(String::strip).toList()) {
      if (!line.isEmpty() && !line.startsWith("#")) {
        int colon = line.indexOf(':');
        keys.add(
            colon < 0
                ? new Key("", line)
                : new Key(line.substring(0, colon).strip(), line.substring(colon + 1).strip()));
      }
    }
    return keys;
  }

  public Access withKeys(List<Key> value) {
    return new Access(value, sharePrefixes, requestsPerMinute, origins, hosts);
  }

  public Access withSharedPrefixes() {
    return new Access(keys, true, requestsPerMinute, origins, hosts);
  }

  public Access withRequestsPerMinute(int value) {
    return new Access(keys, sharePrefixes, value, origins, hosts);
  }

  public Access withOrigins(Set<String> value) {
    return new Access(keys, sharePrefixes, requestsPerMinute, value, hosts);
  }

  public Access withHosts(Set<String> value) {
    return new Access(keys, sharePrefixes, requestsPerMinute, origins, value);
  }
}
