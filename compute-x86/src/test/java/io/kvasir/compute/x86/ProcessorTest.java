package io.kvasir.compute.x86;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessorTest {
  private static final String ALL = "lm fma avx512f avx512bw avx512dq avx512vl";

  @TempDir private Path folder;

  private Processor read(String text) throws IOException {
    return Processor.read(Files.writeString(folder.resolve("cpuinfo"), text));
  }

  @Test
  void read_flags_evenTwice_areThoseOfTheFirstProcessor() throws IOException {
    assertThat(read("processor : 0\nflags\t\t: " + ALL + " fma\n\nflags : sse\n").hasAvx512())
        .isTrue();
    assertThat(read("flags : sse\n\nflags : " + ALL + "\n").hasAvx512()).isFalse();
  }

  @Test
  void read_oneFeatureMissing_hasNoAvx512() throws IOException {
    assertThat(read("flags : " + ALL.replace("avx512dq ", "") + "\n").hasAvx512()).isFalse();
  }

  @Test
  void read_featuresOfAvx2_areEnoughForIt() throws IOException {
    assertThat(read("flags : lm avx2 fma f16c\n").hasAvx2()).isTrue();
    assertThat(read("flags : lm avx2 fma f16c\n").hasAvx512()).isFalse();
    assertThat(read("flags : lm avx2 f16c\n").hasAvx2()).isFalse();
  }

  @Test
  void read_otherSystems_knowNothing() throws IOException {
    assertThat(read("Features : fp asimd\n").features()).isEmpty();
    assertThat(Processor.read(folder.resolve("missing")).features()).isEmpty();
  }
}
