package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SegmentsTest {
  @TempDir private Path folder;

  @Test
  void saveLoad_randomProgress_isTheSame() throws IOException {
    long seed = 42;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 50; round++) {
      long total = random.nextLong(1, 100_000);
      Segments segments = Segments.fresh(total, random.nextLong(1000, 30_000));
      for (int i = 0; i < segments.count(); i++) {
        segments.add(i, random.nextLong(segments.length(i) + 1));
      }
      Path record = folder.resolve("r");
      Path partial = folder.resolve("p");
      segments.save(record);
      Files.write(partial, new byte[(int) total]);

      Segments loaded = Objects.requireNonNull(Segments.load(record, partial, total));

      assertThat(loaded.count()).as("seed %d round %d", seed, round).isEqualTo(segments.count());
      for (int i = 0; i < segments.count(); i++) {
        assertThat(loaded.done(i)).isEqualTo(segments.done(i));
      }
      assertThat(loaded.arrivedBytes()).isEqualTo(segments.arrivedBytes());
      assertThat(Segments.load(record, partial, total + 1)).isNull();
    }
  }

  @Test
  void take_eachUnfinishedSegmentOnce() {
    Segments segments = Segments.fresh(10_000, 4_000);
    segments.add(1, 4_000);
    assertThat(segments.unfinished()).isEqualTo(2);
    assertThat(segments.take()).isEqualTo(0);
    assertThat(segments.take()).isEqualTo(2);
    assertThat(segments.take()).isEqualTo(-1);
    assertThat(segments.length(2)).isEqualTo(2_000);
  }

  @Test
  void fresh_hugeFile_hasBoundedCount() {
    assertThat(Segments.fresh(RemoteFile.MAX_BYTES, 1024).count()).isLessThanOrEqualTo(1 << 14);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "something else",
        "kvasir-ranges 1 1000 0",
        "kvasir-ranges 1 1000 -5",
        "kvasir-ranges 1 1000 x",
        "kvasir-ranges 1 1000 9999999999999999999",
        "kvasir-ranges 2 1000 1000",
        "kvasir-ranges 1 1000 1000\n1 5",
        "kvasir-ranges 1 1000 1000\n0 1001",
        "kvasir-ranges 1 1000 1000\n0 -1",
        "kvasir-ranges 1 1000 1000\n0 600",
        "kvasir-ranges 1 1000 1000\n0",
      })
  void load_damagedRecord_isNoRecord(String text) throws IOException {
    Path record = folder.resolve("r");
    Path partial = folder.resolve("p");
    Files.writeString(record, text);
    Files.write(partial, new byte[500]);
    assertThat(Segments.load(record, partial, 1000)).isNull();
  }

  @Test
  void save_laterRecord_needsNoMoreSpace() throws IOException {
    Segments segments = Segments.fresh(1L << 40, 1L << 30);
    Path record = folder.resolve("r");
    segments.save(record);
    long first = Files.size(record);
    for (int i = 0; i < segments.count(); i++) {
      segments.add(i, 1L << 30);
    }
    segments.save(record);
    assertThat(Files.size(record)).isEqualTo(first);
  }
}
