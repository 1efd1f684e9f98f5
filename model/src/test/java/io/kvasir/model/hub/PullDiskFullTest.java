package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.hub.HubException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A disk that is too small before a pull, and one that runs full during it.
class PullDiskFullTest {
  private static final int BYTES = 6 * HubFixture.SEGMENT;

  @TempDir private Path folder;
  private HubFixture fixture;
  private FakeHub hub;

  @BeforeEach
  void start() throws IOException {
    fixture = new HubFixture(folder.resolve("cache"));
    hub = fixture.hub;
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  /// Reports plenty of space and takes `room` bytes.
  private record SmallDisk(AtomicLong room) implements Disk {
    @Override
    public long usableBytes(Path path) {
      return Long.MAX_VALUE;
    }

    @Override
    public Writer open(Path file) throws IOException {
      Writer real = Disk.REAL.open(file);
      return new Writer() {
        @Override
        public void write(long position, byte[] from, int count) throws IOException {
          if (room.addAndGet(-count) < 0) {
            throw new IOException("No space left on device");
          }
          real.write(position, from, count);
        }

        @Override
        public void force() throws IOException {
          real.force();
        }

        @Override
        public void close() throws IOException {
          real.close();
        }
      };
    }
  }

  @Test
  void pull_diskRunsFull_saysSoAndLaterFetchesTheRestOnly() throws IOException {
    byte[] weights = hub.add("a-Q8_0.gguf", BYTES);

    PullFailureTest.assertFails(
            () -> fixture.pull("owner/repo", new SmallDisk(new AtomicLong(900_000))))
        .hasMessageContaining("no space is left in " + fixture.repo().resolve("blobs"))
        .hasMessageContaining("for a-Q8_0.gguf")
        .hasMessageContaining("what has arrived is kept")
        .extracting(HubException::kind)
        .isEqualTo(Kind.DISK_FULL);
    long before = hub.contentBytes.get();

    assertThat(fixture.pull("owner/repo")).hasBinaryContent(weights);
    assertThat(hub.contentBytes.get() - before).isLessThan(BYTES - 700_000);
  }

  @Test
  void pull_tooLittleSpaceBefore_startsNothing() {
    hub.add("a-Q8_0.gguf", BYTES);
    Disk almostFull =
        new Disk() {
          @Override
          public long usableBytes(Path path) {
            return 1_000_000;
          }

          @Override
          public Writer open(Path file) throws IOException {
            return Disk.REAL.open(file);
          }
        };

    PullFailureTest.assertFails(() -> fixture.pull("owner/repo", almostFull))
        .hasMessageContaining("owner/repo needs 1.5 MiB")
        .hasMessageContaining("has 976.6 KiB left")
        .hasMessageContaining("HF_HUB_CACHE")
        .extracting(HubException::kind)
        .isEqualTo(Kind.DISK_FULL);
    assertThat(hub.contentBytes.get()).isZero();
  }

  @Test
  void pull_realSmallFileSystem_saysSoAndLaterFetchesTheRestOnly() throws Exception {
    Path mount = Files.createDirectories(folder.resolve("tmpfs"));
    Assumptions.assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=1m", "kvasir-test", mount.toString()) == 0,
        "[no-mount-permission] a small file system cannot be mounted here");
    try (HubFixture small = new HubFixture(mount.resolve("cache"))) {
      byte[] weights = small.hub.add("a-Q8_0.gguf", BYTES);
      Disk unchecked = new SmallDisk(new AtomicLong(Long.MAX_VALUE));

      PullFailureTest.assertFails(() -> small.pull("owner/repo", unchecked))
          .hasMessageContaining("no space is left")
          .extracting(HubException::kind)
          .isEqualTo(Kind.DISK_FULL);
      long before = small.hub.contentBytes.get();

      assertThat(run("mount", "-o", "remount,size=8m", mount.toString())).isZero();
      assertThat(small.pull("owner/repo", unchecked)).hasBinaryContent(weights);
      assertThat(small.hub.contentBytes.get() - before).isLessThan(BYTES - 500_000);
    } finally {
      run("umount", mount.toString());
    }
  }

  private static int run(String... command) throws IOException, InterruptedException {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(10, TimeUnit.SECONDS) ? process.exitValue() : -1;
    } catch (IOException e) {
      return -1;
    }
  }
}
