package io.kvasir.cli;

import io.kvasir.model.hub.HubClient;
import io.kvasir.model.hub.HubConfig;
import io.kvasir.model.hub.HubException;
import io.kvasir.model.hub.ModelName;
import io.kvasir.model.hub.Progress;
import io.kvasir.model.hub.Puller;
import io.kvasir.model.plan.Sizes;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/// `kvasir pull`: brings a model from a hub into the shared cache and prints where it lies.
@Command(
    name = "pull",
    description = {
      "Download a model from a Hugging Face-compatible hub: resumes, checks, and prints its path.",
      "HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE are respected."
    })
final class PullCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(
      paramLabel = "OWNER/REPO[:QUANT|file]",
      description = "The repository, and which of its files, such as Q4_K_M; @REVISION may follow.")
  private String name = "";

  PullCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws HubException {
    ModelName model;
    try {
      model = ModelName.parse(name);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
    HubConfig config = HubSettings.of(surroundings.environment());
    Path path;
    try (HubClient hub = new HubClient(config);
        ProgressLine line = new ProgressLine(surroundings)) {
      path = new Puller(hub).pull(model, event -> tell(event, line));
    }
    surroundings.out().println(path);
    return Main.OK;
  }

  private static void tell(Progress event, ProgressLine line) {
    String file = event.file();
    switch (event.phase()) {
      case LISTING -> line.show("reading the files of " + file);
      case CACHED -> line.keep(file + "  was here already");
      case WAITING -> line.show(file + "  waiting for another download of it");
      case DOWNLOADING -> line.show(file + "  " + share(event));
      case RETRYING -> line.show(file + "  trying again: " + event.note());
      case VERIFYING -> line.show(file + "  checking " + percent(event));
      case DONE -> line.keep(file + "  " + Sizes.bytes(event.totalBytes()));
    }
  }

  private static String share(Progress event) {
    String speed =
        event.bytesPerSecond() <= 0
            ? ""
            : "  " + Sizes.bytes((long) event.bytesPerSecond()) + "/s  " + remaining(event);
    return percent(event) + " of " + Sizes.bytes(event.totalBytes()) + speed;
  }

  private static String percent(Progress event) {
    return event.totalBytes() == 0 ? "100%" : 100 * event.bytes() / event.totalBytes() + "%";
  }

  private static String remaining(Progress event) {
    long seconds = (long) ((event.totalBytes() - event.bytes()) / event.bytesPerSecond());
    return String.format(Locale.ROOT, "%d:%02d left", seconds / 60, seconds % 60);
  }
}
