package io.kvasir.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Mean keys: measured once per model, kept in a file, part of what cached rows mean.
class KeyProfilesTest {
  private static final Path MODEL =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

  @TempDir Path folder;

  private final List<String> notices = new ArrayList<>();

  private KvProfile profile(KeyProfiles source, KvFormat format, int rows) {
    try (Backend backend = new CpuBackend(2);
        Model model = Model.open(MODEL, backend, new Transformer.Rows(rows, 1), 256)) {
      KvLayout layout = model.config().kvLayout(64, KvRecipe.of(format));
      return source.of(model, backend, layout);
    }
  }

  private KeyProfiles kept() {
    return new KeyProfiles(folder, true, notices::add);
  }

  @Test
  void of_rawFormat_needsNothing() {
    assertThat(profile(kept(), KvFormat.F16, 64)).isSameAs(KvProfile.NONE);
    assertThat(folder).isEmptyDirectory();
    assertThat(notices).isEmpty();
  }

  @Test
  void of_centredFormat_isMeasuredOnceAndKept() {
    KvProfile first = profile(kept(), KvFormat.INT8, 64);
    KvProfile second = profile(kept(), KvFormat.INT4, 64);

    assertThat(first.layers()).isEqualTo(8);
    assertThat(second.id()).isEqualTo(first.id());
    assertThat(second.keyMean(7, 1, 64)).isEqualTo(first.keyMean(7, 1, 64));
    assertThat(notices).hasSize(1);
  }

  @Test
  void of_anyPasses_givesTheSameMeans() {
    KvProfile whole = profile(KeyProfiles.MEASURED, KvFormat.INT8, 256);

    assertThat(profile(KeyProfiles.MEASURED, KvFormat.INT8, 100).id()).isEqualTo(whole.id());
  }

  @Test
  void measure_isTheMeanOfTheKeys() {
    try (Backend backend = new CpuBackend(1);
        Model model = Model.open(MODEL, backend, new Transformer.Rows(4, 1), 16)) {
      Transformer transformer = model.transformer();
      float[] one = Calibration.measure(transformer, backend, new int[] {5}).keyMean(0, 1, 64);
      float[] two = Calibration.measure(transformer, backend, new int[] {5, 5}).keyMean(0, 1, 64);
      // Equal tokens have equal first-layer keys but for their rotation, which keeps their length.
      float[] second = new float[64];
      for (int i = 0; i < 64; i++) {
        second[i] = 2 * two[i] - one[i];
      }
      assertThat(length(second)).isCloseTo(length(one), within(1e-3)).isGreaterThan(0.1);
      assertThat(second).isNotEqualTo(one);
    }
  }

  private static double length(float[] x) {
    double sum = 0;
    for (float value : x) {
      sum += (double) value * value;
    }
    return Math.sqrt(sum);
  }

  @Test
  void of_damagedFile_isMeasuredAgain() throws IOException {
    String id = profile(kept(), KvFormat.INT8, 64).id();
    Path file = onlyFile();
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {0, 7, 40, bytes.length - 1}) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertThat(profile(kept(), KvFormat.INT8, 64).id()).as("%d bytes", length).isEqualTo(id);
      assertThat(Files.readAllBytes(file)).isEqualTo(bytes);
    }
    bytes[100] ^= 1;
    Files.write(file, bytes);
    assertThat(profile(kept(), KvFormat.INT8, 64).id()).isEqualTo(id);
    assertThat(notices).hasSize(6);
  }

  @Test
  void of_folderThatCannotBeWritten_isMeasuredAllTheSame() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");

    KeyProfiles source = new KeyProfiles(file.resolve("below"), true, notices::add);

    assertThat(profile(source, KvFormat.INT8, 64).layers()).isEqualTo(8);
  }

  @Test
  void session_ofAnotherProfile_isRefused() throws Exception {
    Path saved = folder.resolve("session");
    EngineConfig config =
        EngineConfig.DEFAULT.withContextTokens(128).withKvFormat(KvRecipe.of(KvFormat.INT8));
    try (Backend backend = new CpuBackend(2)) {
      try (Engine engine = Engine.open(MODEL, backend, config.withKeyProfiles(KeyProfiles.ZERO));
          Session session = engine.openSession()) {
        TokenStream answer =
            engine.submit(
                new Request(new int[] {3, 4, 5}, 2, SamplingOptions.GREEDY, Set.of(), session));
        while (answer.advance()) {
          // Only the session is of interest.
        }
        session.save(saved);
        engine.loadSession(saved, "").close();
      }
      try (Engine engine = Engine.open(MODEL, backend, config)) {
        assertThatThrownBy(() -> engine.loadSession(saved, "").close())
            .isInstanceOf(IOException.class);
      }
    }
  }

  private Path onlyFile() throws IOException {
    try (var files = Files.list(folder)) {
      return files.findFirst().orElseThrow();
    }
  }
}
