package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Activation;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ProductsTest {
  private static final int[] LENGTHS = {
    1, 4, 6, 8, 13, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 257, 1000, 4098
  };

  private final SplittableRandom random = new SplittableRandom(Seeds.seed(11));
  private final ReferenceBackend reference = new ReferenceBackend();

  /// Backends with the same bits, whose kernels are in different instructions where this machine
  /// has them: those of the Vector API have these bits where its vectors have sixteen lanes.
  private final List<CpuBackend> backends =
      List.of(
          new CpuBackend(1),
          new CpuBackend(2),
          new CpuBackend(3),
          new CpuBackend(2, null, other(Lanes.L == 16, KernelCode.VECTOR)),
          new CpuBackend(2, null, other(hasAvx2(), KernelCode.MACHINE_AVX2)));

  private static KernelCode other(boolean hasBits, KernelCode code) {
    return hasBits ? code : KernelCode.MACHINE;
  }

  private static boolean hasAvx2() {
    return KernelCode.MACHINE_AVX2.missing() == null;
  }

  @AfterEach
  void close() {
    backends.forEach(CpuBackend::close);
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_anyTypeAndLength_equalsReference(TensorType type) {
    for (int length : LENGTHS) {
      if (length % type.blockElements() == 0) {
        check(type, 5, length, 3);
        check(type, 1, length, 1);
      }
    }
    for (int blocks : new int[] {1, 2, 3, 7}) {
      check(type, 6, blocks * type.blockElements(), 1);
      check(type, 7, blocks * type.blockElements(), 2);
      check(type, 9, blocks * type.blockElements(), 5);
    }
  }

  private void check(TensorType type, int outputs, int columns, int rows) {
    Tensor tensor = RandomWeights.of(type, outputs, columns, random);
    HostBuffer in = normal(rows, columns);
    Linear linear = new Linear(HostWeight.of(tensor), normal(1, outputs));
    HostBuffer expected = HostBuffer.allocate(rows, outputs);
    reference.linear(linear, in, expected, rows);
    HostBuffer actual = HostBuffer.allocate(rows, outputs);
    backends.get(1).linear(linear, in, actual, rows);
    float[] w = new float[columns];
    String what = "%s [%d, %d] %d rows".formatted(type, outputs, columns, rows);
    for (int o = 0; o < outputs; o++) {
      tensor.decodeRow(o, w, 0);
      for (int r = 0; r < rows; r++) {
        double magnitude = 1e-6;
        for (int k = 0; k < columns; k++) {
          magnitude += Math.abs(w[k] * in.values()[r * columns + k]);
        }
        int at = r * outputs + o;
        Seeds.close(what, at, actual.values()[at], expected.values()[at], 4e-6 * magnitude + 1e-6);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_anyBatchAndThreads_sameBitsAsAlone(TensorType type) {
    int columns = type.isQuantized() ? 3 * type.blockElements() : 107;
    int outputs = 157;
    int rows = 37;
    Linear linear =
        new Linear(
            HostWeight.of(RandomWeights.of(type, outputs, columns, random)), normal(1, outputs));
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
      for (int count : new int[] {1, 2, 3, 4, 5, 16, 37}) {
        HostBuffer out = HostBuffer.allocate(rows, outputs);
        backend.linear(linear, in, out, count);
        String what = "%s %s, %d rows".formatted(type, backend.description(), count);
        for (int i = 0; i < count * outputs; i++) {
          Seeds.same(what, i, out.values()[i], alone[i]);
        }
      }
    }
  }

  /// Rows longer than a piece of a panel, outputs of more than one block.
  @Test
  void linear_longRows_sameBitsAsAlone() {
    sameBitsAsAlone(TensorType.Q8_0, 4096, 70, 14);
    sameBitsAsAlone(TensorType.Q4_0, 4096, 70, 67);
    sameBitsAsAlone(TensorType.BF16, 2055, 141, 9);
    sameBitsAsAlone(TensorType.Q4_K, 4352, 70, 14);
    sameBitsAsAlone(TensorType.Q6_K, 4352, 70, 14);
  }

  /// Many rows: weights are decoded once, outputs come in blocks, the last of which is cut.
  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_manyRows_sameBitsAsAlone(TensorType type) {
    sameBitsAsAlone(type, 256, 203, 12);
    sameBitsAsAlone(type, 1280, 66, 40);
    sameBitsAsAlone(type, 3328, 141, 13);
    sameBitsAsAlone(type, 5120, 65, 33);
  }

  private void sameBitsAsAlone(TensorType type, int columns, int outputs, int rows) {
    Tensor weights = RandomWeights.of(type, outputs, columns, random);
    Linear linear = new Linear(HostWeight.of(weights), rows % 2 == 0 ? null : normal(1, outputs));
    HostBuffer in = normal(rows, columns);
    HostBuffer together = HostBuffer.allocate(rows, outputs);
    backends.get(1).linear(linear, in, together, rows);
    for (CpuBackend backend : backends.subList(3, backends.size())) {
      HostBuffer inOtherCode = HostBuffer.allocate(rows, outputs);
      backend.linear(linear, in, inOtherCode, rows);
      assertThat(inOtherCode.values()).as(backend.description()).isEqualTo(together.values());
    }
    HostBuffer one = HostBuffer.allocate(1, columns);
    HostBuffer alone = HostBuffer.allocate(1, outputs);
    for (int r = 0; r < rows; r++) {
      System.arraycopy(in.values(), r * columns, one.values(), 0, columns);
      backends.get(0).linear(linear, one, alone, 1);
      for (int o = 0; o < outputs; o++) {
        Seeds.same(type + " row " + r, o, together.values()[r * outputs + o], alone.values()[o]);
      }
    }
  }

  /// On every machine, with whatever lanes it has.
  @ParameterizedTest
  @EnumSource(TensorType.class)
  void linear_inVectors_sameBitsAsAlone(TensorType type) {
    Linear linear =
        new Linear(HostWeight.of(RandomWeights.of(type, 70, 1280, random)), normal(1, 70));
    HostBuffer in = normal(13, 1280);
    try (CpuBackend vector = new CpuBackend(2, null, KernelCode.VECTOR)) {
      HostBuffer together = HostBuffer.allocate(13, 70);
      vector.linear(linear, in, together, 13);
      HostBuffer one = HostBuffer.allocate(1, 1280);
      HostBuffer alone = HostBuffer.allocate(1, 70);
      for (int r = 0; r < 13; r++) {
        System.arraycopy(in.values(), r * 1280, one.values(), 0, 1280);
        vector.linear(linear, one, alone, 1);
        for (int o = 0; o < 70; o++) {
          Seeds.same(type + " row " + r, o, together.values()[r * 70 + o], alone.values()[o]);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void decoder_anyBytes_sameBitsAsCodec(TensorType type) {
    int count = type.isQuantized() ? 5 * type.blockElements() : 75;
    Tensor tensor = RandomWeights.of(type, 3, count, random);
    float[] expected = new float[count];
    float[] actual = new float[count + 7];
    for (int row = 0; row < 3; row++) {
      tensor.decodeRow(row, expected, 0);
      Kernels.decoder(type).decode(tensor.data(), row * tensor.rowBytes(), actual, 7, count);
      for (int i = 0; i < count; i++) {
        Seeds.same(type.name(), i, actual[i + 7], expected[i]);
      }
    }
  }

  @Test
  void decoder_everyHalf_sameBitsAsCodec() {
    MemorySegment halves = Arena.ofAuto().allocate(2 << 16, 2);
    for (int i = 0; i < 1 << 16; i++) {
      halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
    }
    for (TensorType type : List.of(TensorType.F16, TensorType.BF16)) {
      float[] expected = new float[1 << 16];
      float[] actual = new float[1 << 16];
      type.codec().decode(halves, 0, expected, 0, 1 << 16);
      Kernels.decoder(type).decode(halves, 0, actual, 0, 1 << 16);
      for (int i = 0; i < 1 << 16; i++) {
        Seeds.same(type.name(), i, actual[i], expected[i]);
      }
    }
  }

  @Test
  void linear_nanAndInfinity_reachOnlyTheirRow() {
    Linear linear =
        new Linear(HostWeight.of(RandomWeights.of(TensorType.Q8_0, 20, 64, random)), null);
    HostBuffer in = normal(6, 64);
    HostBuffer clean = HostBuffer.allocate(6, 20);
    backends.get(1).linear(linear, in, clean, 6);
    in.values()[64 + 5] = Float.NaN;
    in.values()[2 * 64 + 9] = Float.POSITIVE_INFINITY;
    HostBuffer out = HostBuffer.allocate(6, 20);
    backends.get(1).linear(linear, in, out, 6);
    assertThat(out.values()[20]).isNaN();
    for (int i = 0; i < 6 * 20; i++) {
      if (i / 20 != 1 && i / 20 != 2) {
        assertThat(out.values()[i]).isEqualTo(clean.values()[i]);
      }
    }
  }

  @Test
  void headLinear_sevenHeads_equalsReference() {
    List<Weight> weights = new ArrayList<>();
    for (int h = 0; h < 7; h++) {
      weights.add(HostWeight.of(RandomWeights.of(TensorType.F16, 24, 40, random)));
    }
    HeadLinear linear = new HeadLinear(weights, 50, 3, 30, 5);
    HostBuffer in = normal(5, 350);
    HostBuffer expected = HostBuffer.allocate(5, 210);
    HostBuffer actual = HostBuffer.allocate(5, 210);
    reference.headLinear(linear, in, expected, 5);
    backends.get(1).headLinear(linear, in, actual, 5);
    assertClose(actual, expected, 2e-3);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void feedForward_gatedAndPlain_equalsReferenceAndIsIndependentOfBatch(Activation activation) {
    Linear gate = linear(TensorType.BF16, 75, 64);
    Linear up = linear(TensorType.F32, 75, 64);
    Linear down = linear(TensorType.F16, 50, 75);
    for (FeedForward ffn :
        List.of(
            new FeedForward(gate, up, down, activation),
            new FeedForward(null, up, down, activation))) {
      HostBuffer in = normal(9, 64);
      HostBuffer expected = HostBuffer.allocate(9, 50);
      HostBuffer actual = HostBuffer.allocate(9, 50);
      reference.feedForward(ffn, in, expected, 9);
      backends.get(2).feedForward(ffn, in, actual, 9);
      assertClose(actual, expected, 1e-4);
      for (int r = 0; r < 9; r++) {
        HostBuffer one = HostBuffer.allocate(1, 64);
        HostBuffer alone = HostBuffer.allocate(1, 50);
        System.arraycopy(in.values(), r * 64, one.values(), 0, 64);
        backends.get(0).feedForward(ffn, one, alone, 1);
        for (int i = 0; i < 50; i++) {
          Seeds.same("row " + r, i, alone.values()[i], actual.values()[r * 50 + i]);
        }
      }
    }
  }

  /// Gate and up projection read the same rows in different orders of K.
  @Test
  void feedForward_gateOfOtherFormat_equalsReferenceAndIsIndependentOfBatch() {
    FeedForward ffn =
        new FeedForward(
            small(TensorType.Q4_K, 0, 2),
            small(TensorType.Q6_K, 208, 208),
            linear(TensorType.F16, 50, 75),
            Activation.SILU);
    HostBuffer in = normal(9, 256);
    HostBuffer expected = HostBuffer.allocate(9, 50);
    HostBuffer actual = HostBuffer.allocate(9, 50);
    reference.feedForward(ffn, in, expected, 9);
    backends.get(2).feedForward(ffn, in, actual, 9);
    assertClose(actual, expected, 1e-3);
    HostBuffer one = HostBuffer.allocate(1, 256);
    HostBuffer alone = HostBuffer.allocate(1, 50);
    for (int r = 0; r < 9; r++) {
      System.arraycopy(in.values(), r * 256, one.values(), 0, 256);
      backends.get(0).feedForward(ffn, one, alone, 1);
      for (int i = 0; i < 50; i++) {
        Seeds.same("row " + r, i, alone.values()[i], actual.values()[r * 50 + i]);
      }
    }
  }

  /// 75 outputs of 256 inputs, random codes, scales that keep results near 1.
  private Linear small(TensorType type, int scaleAt, int otherScaleAt) {
    Tensor tensor = RandomWeights.of(type, 75, 256, random);
    MemorySegment memory = Arena.ofAuto().allocate(75 * tensor.rowBytes(), 64);
    memory.copyFrom(tensor.data());
    short scale = Float.floatToFloat16(0.0002f);
    for (long at = 0; at < memory.byteSize(); at += tensor.rowBytes()) {
      memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + scaleAt, scale);
      memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + otherScaleAt, scale);
    }
    Tensor scaled = new Tensor(tensor.name(), type, tensor.shape(), memory);
    return new Linear(HostWeight.of(scaled), normal(1, 75));
  }

  @Test
  void mixtureOfExperts_sharedAndRouted_equalsReferenceAndIsIndependentOfBatch() {
    mixture(new Routing(3, true, normal(1, 8), normal(1, 8), 4, 2, 2, true, 1.5f));
  }

  @Test
  void mixtureOfExperts_weightsOnInputs_equalsReferenceAndIsIndependentOfBatch() {
    mixture(new Routing(2, true, null, null, 1, 1, 1, false, 1, 0, true));
  }

  @Test
  void mixtureOfExperts_sparseMixer_equalsReferenceAndIsIndependentOfBatch() {
    mixture(new Routing(2, false, null, null, 1, 1, 1, false, 1, 0.5f, false));
  }

  private void mixture(Routing routing) {
    List<FeedForward> experts = new ArrayList<>();
    for (int e = 0; e < 8; e++) {
      experts.add(feedForward(32, 48));
    }
    MixtureOfExperts moe =
        new MixtureOfExperts(
            linear(TensorType.F32, 8, 32),
            routing,
            experts,
            feedForward(32, 40),
            linear(TensorType.F32, 1, 32));
    HostBuffer in = normal(11, 32);
    HostBuffer expected = HostBuffer.allocate(11, 32);
    HostBuffer actual = HostBuffer.allocate(11, 32);
    reference.mixtureOfExperts(moe, in, in, expected, 11);
    backends.get(1).mixtureOfExperts(moe, in, in, actual, 11);
    assertClose(actual, expected, 1e-4);
    HostBuffer one = HostBuffer.allocate(1, 32);
    HostBuffer alone = HostBuffer.allocate(1, 32);
    for (int r = 0; r < 11; r++) {
      System.arraycopy(in.values(), r * 32, one.values(), 0, 32);
      backends.get(0).mixtureOfExperts(moe, one, one, alone, 1);
      for (int i = 0; i < 32; i++) {
        Seeds.same("row " + r, i, alone.values()[i], actual.values()[r * 32 + i]);
      }
    }
  }

  private FeedForward feedForward(int size, int innerSize) {
    return new FeedForward(
        linear(TensorType.F32, innerSize, size),
        linear(TensorType.F32, innerSize, size),
        linear(TensorType.F32, size, innerSize),
        Activation.SILU);
  }

  /// A layer whose weights are small enough that results stay near 1.
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

  private static void assertClose(HostBuffer actual, HostBuffer expected, double tolerance) {
    for (int i = 0; i < expected.rows() * expected.columns(); i++) {
      double e = expected.values()[i];
      Seeds.close("result", i, actual.values()[i], e, tolerance * Math.max(1, Math.abs(e)));
    }
  }
}
