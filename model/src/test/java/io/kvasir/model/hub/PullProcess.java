package io.kvasir.model.hub;

import java.net.URI;
import java.nio.file.Path;

/// The main class of a second process that pulls the same model: arguments are the cache folder and
/// the endpoint; prints `phase` lines and at last the path.
final class PullProcess {
  private PullProcess() {}

  public static void main(String[] args) throws HubException {
    HubConfig config = HubConfig.of(Path.of(args[0])).withEndpoint(URI.create(args[1]));
    try (HubClient client = new HubClient(config)) {
      Path path =
          new Puller(client)
              .pull(
                  FakeHub.NAME,
                  event -> {
                    if (event.phase() != Progress.Phase.DOWNLOADING) {
                      System.out.println(event.phase());
                    }
                  });
      System.out.println(path);
    }
  }
}
