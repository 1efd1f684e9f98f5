package io.kvasir.compute.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.MatrixProvider;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.onednn.OneDnnMatrices.Format;
import io.kvasir.compute.quant.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Products of the real library where `scripts/onednn.sh` has put it, and what is said without it.
class OneDnnMatricesTest {
  private static final int INPUTS = 1184;
  private static final int OUTPUTS = 400;

  @TempDir Path folder;

  private static MatrixProvider open(Format format, long budget) {
    String cache =
        System.getenv().getOrDefault("XDG_CACHE_HOME", System.getProperty("user.home") + "/.cache");
    Path installed = Path.of(cache, "kvasir", "onednn");
    Assumptions.assumeTrue(
        Files.exists(installed.resolve(OneDnnLibrary.NAME)),
        "[no-onednn] scripts/onednn.sh installs it");
    return switch (OneDnnMatrices.open(installed, format, 2, budget)) {
      case OneDnnMatrices.Opened opened -> opened.provider();
      case OneDnnMatrices.Unavailable unavailable -> throw new AssertionError(unavailable.reason());
    };
  }

  @Test
  void open_emptyFolder_saysWhatToRun() {
    assertThat(OneDnnMatrices.open(folder, Format.F32, 1, 1))
        .isInstanceOfSatisfying(
            OneDnnMatrices.Unavailable.class,
            it -> assertThat(it.reason()).contains(folder.toString(), "scripts/onednn.sh"));
  }

  @Test
  void open_anotherLibrary_isNotLoaded() throws IOException {
    Files.writeString(folder.resolve("libdnnl.so.3"), "something else");
    Files.writeString(folder.resolve("libgomp.so.1"), "");

    assertThat(OneDnnMatrices.open(folder, Format.F32, 1, 1))
        .isInstanceOfSatisfying(
            OneDnnMatrices.Unavailable.class,
            it -> assertThat(it.reason()).contains("SHA-256", "libdnnl.so.3"));
  }

  @ParameterizedTest
  @EnumSource(Format.class)
  void multiply_isTheProductOfRoundedNumbers(Format format) {
    try (MatrixProvider provider = open(format, Long.MAX_VALUE)) {
      float[] w = random(OUTPUTS * INPUTS, 1);
      float[] x = random(9 * INPUTS, 2);
      MatrixProvider.Packed packed = packed(provider, w);
      float[] out = new float[9 * (OUTPUTS + 3)];

      packed.multiply(rows(x, 0, INPUTS), rows(out, 2, OUTPUTS + 3), 9);

      for (int r = 0; r < 9; r++) {
        for (int o = 0; o < OUTPUTS; o += 7) {
          double sum = 0;
          for (int k = 0; k < INPUTS; k++) {
            sum += rounded(format, w[o * INPUTS + k]) * rounded(format, x[r * INPUTS + k]);
          }
          assertThat((double) out[2 + r * (OUTPUTS + 3) + o]).isCloseTo(sum, within(2e-3));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Format.class)
  void multiply_rowsAloneAndTogether_haveTheSameBits(Format format) {
    try (MatrixProvider provider = open(format, Long.MAX_VALUE)) {
      float[] x = random(530 * INPUTS, 3);
      MatrixProvider.Packed packed = packed(provider, random(OUTPUTS * INPUTS, 4));
      float[] all = new float[530 * OUTPUTS];
      packed.multiply(rows(x, 0, INPUTS), rows(all, 0, OUTPUTS), 530);

      for (int rows : new int[] {1, 2, 5, 16, 33, 200}) {
        for (int from : new int[] {0, 7, 311}) {
          float[] some = new float[rows * OUTPUTS];
          packed.multiply(rows(x, from * INPUTS, INPUTS), rows(some, 0, OUTPUTS), rows);
          for (int i = 0; i < some.length; i++) {
            assertThat(some[i]).isEqualTo(all[from * OUTPUTS + i]);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Format.class)
  void multiply_inSmallPieces_isTheSameAsInLargeOnes(Format format) {
    try (MatrixProvider provider = open(format, Long.MAX_VALUE)) {
      float[] w = random(OUTPUTS * INPUTS, 8);
      float[] x = random(530 * INPUTS, 9);
      float[] large = new float[530 * OUTPUTS];
      packed(provider, w).multiply(rows(x, 0, INPUTS), rows(large, 0, OUTPUTS), 530);
      OneDnnMatrices matrices = (OneDnnMatrices) provider;
      int agreed = matrices.sizes();
      for (int size = 0; size < MatmulShape.SIZES.length; size++) {
        if ((agreed >> size & 1) != 0) {
          matrices.useSizes(1 << size);
          float[] small = new float[530 * OUTPUTS];
          packed(provider, w).multiply(rows(x, 0, INPUTS), rows(small, 0, OUTPUTS), 530);
          assertThat(small).isEqualTo(large);
        }
      }
    }
  }

  @Test
  void packed_beyondTheBudget_leavesTheMatrixAlone() {
    long bytes = 4L * OUTPUTS * INPUTS;
    try (MatrixProvider provider = open(Format.F32, bytes)) {
      Tensor tensor = tensor(random(OUTPUTS * INPUTS, 5));
      assertThat(provider.packed(tensor)).isNotNull();
      assertThat(provider.packed(tensor)).isNull();
    }
  }

  @Test
  void multiply_manyPanels_areOneMatrix() {
    try (MatrixProvider provider = open(Format.F32, Long.MAX_VALUE)) {
      int outputs = 9000;
      float[] w = random(outputs * INPUTS, 6);
      float[] x = random(INPUTS, 7);
      MemorySegment data = bytes(w);
      Tensor tensor = new Tensor("large", TensorType.F32, new long[] {outputs, INPUTS}, data);
      float[] out = new float[outputs];
      Objects.requireNonNull(provider.packed(tensor))
          .multiply(rows(x, 0, INPUTS), rows(out, 0, outputs), 1);

      for (int o = 0; o < outputs; o += 111) {
        double sum = 0;
        for (int k = 0; k < INPUTS; k++) {
          sum += (double) w[o * INPUTS + k] * x[k];
        }
        assertThat((double) out[o]).isCloseTo(sum, within(2e-3));
      }
    }
  }

  private static double rounded(Format format, float value) {
    return format == Format.F32 ? value : Float.intBitsToFloat(PackedTensor.bf16(value) << 16);
  }

  private static MatrixProvider.Packed packed(MatrixProvider provider, float[] w) {
    return Objects.requireNonNull(provider.packed(tensor(w)));
  }

  private static Tensor tensor(float[] w) {
    return new Tensor("w", TensorType.F32, new long[] {OUTPUTS, INPUTS}, bytes(w));
  }

  private static MemorySegment bytes(float[] values) {
    byte[] bytes = new byte[values.length * Float.BYTES];
    MemorySegment segment = MemorySegment.ofArray(bytes);
    MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length);
    return segment;
  }

  private static MatrixProvider.Rows rows(float[] values, int at, int stride) {
    return new MatrixProvider.Rows(values, at, stride);
  }

  private static float[] random(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
