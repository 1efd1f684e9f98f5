package io.kvasir.cli;

import io.kvasir.server.Access;
import io.kvasir.server.ServerLimits;
import io.kvasir.server.TlsFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options that tell who may use a server, and how much of it.
final class AccessOptions {
  @Option(
      names = "--api-key",
      paramLabel = "KEY",
      description = "What clients must send as bearer token; other users of this machine see it.")
  private @Nullable String apiKey;

  @Option(
      names = "--api-key-file",
      paramLabel = "FILE",
      description = {
        "Keys, one a line, alone or as name:key. The name is the owner's: logs show it, and its",
        "keys share cached prefixes with each other and with nobody else."
      })
  private @Nullable Path apiKeyFile;

  @Option(
      names = "--share-prefixes-across-keys",
      description = {
        "Share cached prefixes between owners of keys: faster, but the time to an answer's first",
        "token then tells whether somebody else has sent the same prompt."
      })
  private boolean sharePrefixes;

  @Option(
      names = "--rate-limit",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Requests per minute and owner; more get 429. Default: no limit.")
  private int rateLimit;

  @Option(
      names = "--max-requests",
      paramLabel = "N",
      converter = PositiveInt.class,
      description =
          "Requests answered at once, waiting ones included; more get 429. Default: 2048.")
  private int maxRequests = ServerLimits.DEFAULT.requests();

  @Option(
      names = "--max-connections",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Connections at once; more wait. Default: 4096.")
  private int maxConnections = ServerLimits.DEFAULT.connections();

  @Option(
      names = "--queue-timeout",
      paramLabel = "SECONDS",
      converter = PositiveInt.class,
      description = "Requests that wait longer for their start get 504. Default: no limit.")
  private int queueTimeout;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE.pem",
      description = "Serve HTTPS with this certificate and those that vouch for it.")
  private @Nullable Path certificates;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE.pem",
      description = "The certificate's private key, PKCS #8, not encrypted.")
  private @Nullable Path key;

  @Option(
      names = "--cors-origin",
      paramLabel = "ORIGIN",
      split = ",",
      description = {
        "Web pages of other servers that may use this one, such as https://example.org; * for all.",
        "Default: none."
      })
  private Set<String> origins = Set.of();

  @Option(
      names = "--allowed-host",
      paramLabel = "NAME",
      split = ",",
      description = {
        "Names besides localhost by which a server on loopback may be asked for, as behind a proxy.",
        "Others get 403, so that no web page reaches it under a name of its own."
      })
  private Set<String> hosts = Set.of();

  Access access() throws IOException {
    if (apiKey != null && apiKeyFile != null) {
      throw new UsageException("--api-key and --api-key-file exclude each other; give one of them");
    }
    try {
      return new Access(keys(), sharePrefixes, rateLimit, origins, hosts);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }

  private List<Access.Key> keys() throws IOException {
    if (apiKeyFile == null) {
      return apiKey == null ? List.of() : List.of(new Access.Key("", apiKey));
    }
    List<Access.Key> keys = Access.parse(Files.readString(apiKeyFile));
    if (keys.isEmpty()) {
      throw new UsageException("'" + apiKeyFile + "' holds no API key");
    }
    return keys;
  }

  ServerLimits limits() {
    return ServerLimits.DEFAULT
        .withRequests(maxRequests)
        .withConnections(maxConnections)
        .withQueue(Duration.ofSeconds(queueTimeout));
  }

  @Nullable TlsFiles tls() {
    if ((certificates == null) != (key == null)) {
      throw new UsageException("--tls-cert and --tls-key belong together; give both");
    }
    return certificates == null || key == null ? null : new TlsFiles(certificates, key);
  }
}
