package io.kvasir.model.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/// A fake hub, a cache folder and what was heard of the progress.
final class HubFixture implements AutoCloseable {
  static final int SEGMENT = 256 << 10;

  final FakeHub hub = new FakeHub();
  final Path cache;
  final List<Progress> events = Collections.synchronizedList(new ArrayList<>());
  HubConfig config;

  HubFixture(Path cache) throws IOException {
    this.cache = cache;
    config =
        HubConfig.of(cache)
            .withEndpoint(hub.endpoint())
            .withTransfer(
                new TransferConfig(
                    4,
                    SEGMENT,
                    4,
                    Duration.ofMillis(5),
                    Duration.ofSeconds(2),
                    Duration.ofSeconds(5),
                    Duration.ofSeconds(5)));
  }

  static TransferConfig transfer(int connections, int attempts, Duration stall) {
    return new TransferConfig(
        connections,
        SEGMENT,
        attempts,
        Duration.ofMillis(5),
        Duration.ofSeconds(2),
        Duration.ofSeconds(5),
        stall);
  }

  Path pull(String name) throws HubException {
    return pull(name, Disk.REAL);
  }

  Path pull(String name, Disk disk) throws HubException {
    try (HubClient client = new HubClient(config)) {
      return new Puller(client, disk).pull(ModelName.parse(name), events::add);
    }
  }

  Path repo() {
    return cache.resolve("models--owner--repo");
  }

  List<String> blobs() throws IOException {
    try (Stream<Path> blobs = Files.list(repo().resolve("blobs"))) {
      return blobs.map(blob -> blob.getFileName().toString()).sorted().toList();
    }
  }

  @Override
  public void close() {
    hub.close();
  }
}
