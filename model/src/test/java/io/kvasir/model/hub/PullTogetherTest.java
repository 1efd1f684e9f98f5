package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Several pulls of one model at once fetch it once.
class PullTogetherTest {
  private static final int BYTES = 6 * HubFixture.SEGMENT;

  private HubFixture fixture;
  private FakeHub hub;
  private byte[] weights;

  @BeforeEach
  void start(@TempDir Path cache) throws IOException {
    fixture = new HubFixture(cache);
    hub = fixture.hub;
    weights = hub.add("a-Q8_0.gguf", BYTES);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  @Test
  void pull_twoProcesses_secondWaitsAndFindsItDone() throws Exception {
    hub.slowness = Duration.ofMillis(120);
    Process first = startProcess();
    while (hub.contentBytes.get() == 0) {
      assertThat(first.isAlive()).isTrue();
      Thread.sleep(10);
    }

    Path here = fixture.pull("owner/repo");

    assertThat(here).hasBinaryContent(weights);
    List<String> said =
        new String(first.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertThat(first.waitFor()).isZero();
    assertThat(said).containsExactly("LISTING", "VERIFYING", "DONE", here.toString());
    assertThat(fixture.events.stream().map(Progress::phase).toList())
        .containsExactly(Progress.Phase.LISTING, Progress.Phase.WAITING, Progress.Phase.CACHED);
    assertThat(hub.contentBytes.get()).isEqualTo(BYTES);
  }

  @Test
  void pull_processKilledHalfway_nextOneFetchesTheRest() throws Exception {
    hub.slowness = Duration.ofMillis(120);
    Process first = startProcess();
    while (hub.contentBytes.get() < BYTES / 2) {
      assertThat(first.isAlive()).isTrue();
      Thread.sleep(10);
    }
    first.destroyForcibly().waitFor();
    long before = hub.contentBytes.get();
    hub.slowness = Duration.ZERO;

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);

    assertThat(hub.contentBytes.get() - before).isLessThan(BYTES - 200_000);
  }

  @Test
  void pull_threadsOfOneProcess_fetchOnce() throws Exception {
    hub.slowness = Duration.ofMillis(20);
    List<Future<Path>> paths = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      for (int i = 0; i < 4; i++) {
        paths.add(threads.submit(() -> fixture.pull("owner/repo")));
      }
    }
    for (Future<Path> path : paths) {
      assertThat(path.get()).hasBinaryContent(weights);
    }
    assertThat(hub.contentBytes.get()).isEqualTo(BYTES);
  }

  private Process startProcess() throws IOException {
    String java = ProcessHandle.current().info().command().orElseThrow();
    return new ProcessBuilder(
            java,
            "-Xmx64m",
            "-XX:TieredStopAtLevel=1",
            "--add-modules",
            "jdk.httpserver",
            "-cp",
            Path.of("target", "classes").toAbsolutePath()
                + File.pathSeparator
                + Path.of("target", "test-classes").toAbsolutePath(),
            PullProcess.class.getName(),
            fixture.cache.toString(),
            hub.endpoint().toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
