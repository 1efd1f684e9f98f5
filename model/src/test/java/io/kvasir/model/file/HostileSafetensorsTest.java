package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostileSafetensorsTest {
  @TempDir Path folder;

  @Test
  void open_truncatedAnywhere_isRefused() throws IOException {
    byte[] original =
        Files.readAllBytes(SharedFiles.require("reference/hf/qwen3/model.safetensors"));
    SplittableRandom random = new SplittableRandom(5);
    for (int i = 0; i < 200; i++) {
      int cut = i < 20 ? i : random.nextInt(original.length);
      Path file = Files.write(folder.resolve("m.safetensors"), Arrays.copyOf(original, cut));
      assertThatThrownBy(() -> SafetensorsFile.open(file))
          .as("cut at %d", cut)
          .isInstanceOf(ModelFormatException.class);
    }
  }

  @Test
  void open_flippedBytes_openOrAreRefused() throws IOException {
    long seed = Long.getLong("kvasir.test.seed", 20261122L);
    byte[] original = Mutations.smallSafetensors(folder);
    SplittableRandom random = new SplittableRandom(seed);
    int refused = 0;
    for (int round = 0; round < 20_000; round++) {
      byte[] mutated = Mutations.mutate(original, random);
      refused += read(mutated, seed, round) ? 0 : 1;
    }
    assertThat(refused).as("mutations that were noticed").isBetween(10_000, 20_000);
  }

  @Test
  void open_headerOfManyTensors_takesLinearTime() throws IOException {
    StringBuilder header = new StringBuilder("{");
    int count = 100_000;
    for (int i = 0; i < count; i++) {
      header.append(i == 0 ? "" : ",");
      header
          .append("\"t")
          .append(i)
          .append("\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[");
      header.append(i).append(',').append(i + 1).append("]}");
    }
    byte[] json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
    byte[] bytes = new GgufBytes().i64(json.length).text(header.toString()).zeros(count).bytes();
    Path file = Files.write(folder.resolve("m.safetensors"), bytes);
    long start = System.nanoTime();
    try (SafetensorsFile model = SafetensorsFile.open(file)) {
      assertThat(model.tensors()).hasSize(count);
    }
    assertThat((System.nanoTime() - start) / 1e9).as("seconds").isLessThan(5);
  }

  private static boolean read(byte[] bytes, long seed, int round) {
    try {
      return SafetensorsFuzzTarget.read(bytes);
    } catch (RuntimeException | Error e) {
      throw new AssertionError("seed " + seed + " round " + round, e);
    }
  }

  @Test
  void open_fuzzingCorpus_opensOrIsRefused() throws IOException {
    FuzzCorpus.forEach("safetensors", SafetensorsFuzzTarget::fuzzerTestOneInput);
  }
}
