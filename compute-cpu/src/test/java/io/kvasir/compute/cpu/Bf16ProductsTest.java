package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.kvasir.compute.Activation;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Products in bf16: near those of floats, and the same bits in any company.
class Bf16ProductsTest {
  /// Rounding two factors to 8 significant bits, each by half of the last.
  private static final double ROUNDING = 0x1p-8;

  private final SplittableRandom random = new SplittableRandom(Seeds.seed(12));
  private final List<CpuBackend> backends = new ArrayList<>();

  @BeforeEach
  void open() {
    String missing = KernelCode.MACHINE_BF16.missing();
    assumeTrue(missing == null, () -> "[no-avx512-bf16] " + missing);
    for (int threads = 1; threads <= 3; threads++) {
      backends.add(new CpuBackend(threads, null, KernelCode.MACHINE_BF16));
    }
  }

  @AfterEach
  void close() {
    backends.forEach(CpuBackend::close);
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_anyType_isNearTheReference(TensorType type) {
    int columns = 3 * Math.max(64, type.blockElements());
    Tensor tensor = RandomWeights.of(type, 9, columns, random);
    Linear linear = new Linear(HostWeight.of(tensor), normal(1, 9));
    HostBuffer in = normal(5, columns);
    HostBuffer expected = HostBuffer.allocate(5, 9);
    new ReferenceBackend().linear(linear, in, expected, 5);
    HostBuffer actual = HostBuffer.allocate(5, 9);
    backends.get(1).linear(linear, in, actual, 5);
    float[] w = new float[columns];
    for (int i = 0; i < 5 * 9; i++) {
      tensor.decodeRow(i % 9, w, 0);
      double magnitude = 1e-6;
      for (int k = 0; k < columns; k++) {
        magnitude += Math.abs(w[k] * in.values()[i / 9 * columns + k]);
      }
      double bound = 1.01 * ROUNDING * magnitude + 1e-6;
      Seeds.close(type.name(), i, actual.values()[i], expected.values()[i], bound);
    }
  }

  /// One row, fours, decoded panels of all numbers of tiles, and fewer outputs than a panel wants.
  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_anyCompanyAndThreads_sameBitsAsAlone(TensorType type) {
    sameBitsAsAlone(type, 256, 157, 37);
    sameBitsAsAlone(type, 256, 13, 67);
    sameBitsAsAlone(type, 1280, 66, 12);
    sameBitsAsAlone(type, 3328, 141, 13);
    sameBitsAsAlone(type, 5120, 65, 33);
  }

  /// What kernels of bf16 do not take: rows that are no whole blocks.
  @Test
  void linear_lengthsWithoutMachineCode_sameBitsAsAlone() {
    sameBitsAsAlone(TensorType.BF16, 107, 157, 37);
    sameBitsAsAlone(TensorType.F32, 16, 70, 70);
  }

  private void sameBitsAsAlone(TensorType type, int columns, int outputs, int rows) {
    Tensor weights = RandomWeights.of(type, outputs, columns, random);
    Linear linear = new Linear(HostWeight.of(weights), rows % 2 == 0 ? null : normal(1, outputs));
    HostBuffer in = normal(rows, columns);
    float[] alone = new float[rows * outputs];
    HostBuffer one = HostBuffer.allocate(1, columns);
    HostBuffer result = HostBuffer.allocate(1, outputs);
    for (int r = 0; r < rows; r++) {
      System.arraycopy(in.values(), r * columns, one.values(), 0, columns);
      backends.get(0).linear(linear, one, result, 1);
      System.arraycopy(result.values(), 0, alone, r * outputs, outputs);
    }
    for (CpuBackend backend : backends) {
      for (int count : new int[] {2, 3, 4, 5, 8, 9, 12, rows}) {
        HostBuffer out = HostBuffer.allocate(rows, outputs);
        backend.linear(linear, in, out, Math.min(count, rows));
        String what = "%s, %d of %d rows".formatted(type, count, rows);
        for (int i = 0; i < Math.min(count, rows) * outputs; i++) {
          Seeds.same(what, i, out.values()[i], alone[i]);
        }
      }
    }
  }

  @Test
  void feedForward_gatesOfOneAndOfTwoFormats_sameBitsAsAlone() {
    for (TensorType type : List.of(TensorType.BF16, TensorType.F16, TensorType.F32)) {
      FeedForward ffn =
          new FeedForward(
              linear(TensorType.BF16, 96, 64),
              linear(type, 96, 64),
              linear(TensorType.F16, 50, 96),
              Activation.SILU);
      HostBuffer in = normal(19, 64);
      HostBuffer together = HostBuffer.allocate(19, 50);
      backends.get(2).feedForward(ffn, in, together, 19);
      HostBuffer one = HostBuffer.allocate(1, 64);
      HostBuffer alone = HostBuffer.allocate(1, 50);
      for (int r = 0; r < 19; r++) {
        System.arraycopy(in.values(), r * 64, one.values(), 0, 64);
        backends.get(0).feedForward(ffn, one, alone, 1);
        for (int i = 0; i < 50; i++) {
          Seeds.same("row " + r, i, alone.values()[i], together.values()[r * 50 + i]);
        }
      }
    }
  }

  /// Two experts whose scores differ by less than a rounding to bf16.
  @Test
  void mixtureOfExperts_nearlyEqualScores_choosesAsWithFloats() {
    MemorySegment router = Arena.ofAuto().allocate(2 * 64 * Float.BYTES, 64);
    for (int i = 0; i < 64; i++) {
      router.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
      router.setAtIndex(ValueLayout.JAVA_FLOAT, 64 + i, 1.001f);
    }
    Tensor scores = new Tensor("router", TensorType.F32, new long[] {2, 64}, router);
    FeedForward first = expert();
    FeedForward second = expert();
    MixtureOfExperts moe =
        new MixtureOfExperts(
            new Linear(HostWeight.of(scores), null),
            new Routing(1, false, null, null, 1, 1, 1, true, 1),
            List.of(first, second),
            null,
            null);
    HostBuffer in = HostBuffer.allocate(5, 64);
    Arrays.fill(in.values(), 0.7f);
    HostBuffer expected = HostBuffer.allocate(5, 50);
    HostBuffer actual = HostBuffer.allocate(5, 50);
    backends.get(1).feedForward(second, in, expected, 5);
    backends.get(1).mixtureOfExperts(moe, in, in, actual, 5);
    assertThat(actual.values()).isEqualTo(expected.values());
  }

  private FeedForward expert() {
    return new FeedForward(
        linear(TensorType.BF16, 96, 64),
        linear(TensorType.BF16, 96, 64),
        linear(TensorType.BF16, 50, 96),
        Activation.SILU);
  }

  @Test
  void arithmetic_ofBf16_isNotThatOfFloats() {
    try (CpuBackend floats = new CpuBackend(1)) {
      assertThat(backends.getFirst().arithmetic())
          .startsWith(floats.arithmetic())
          .isNotEqualTo(floats.arithmetic());
      assertThat(backends.getFirst().description()).contains("bf16");
    }
  }

  private Linear linear(TensorType type, int outputs, int inputs) {
    Tensor tensor = RandomWeights.of(TensorType.F32, outputs, inputs, random);
    MemorySegment memory = Arena.ofAuto().allocate(type.bytes((long) outputs * inputs), 64);
    type.encoder()
        .encode(Seeds.normal(random, outputs * inputs, 0.15), 0, outputs * inputs, memory, 0);
    return new Linear(
        HostWeight.of(new Tensor(tensor.name(), type, tensor.shape(), memory)), normal(1, outputs));
  }

  private HostBuffer normal(int rows, int columns) {
    return new HostBuffer(Seeds.normal(random, rows * columns, 1), rows, columns);
  }
}
