package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Attention in the arithmetic of bf16: its rounding and order, and that neither depends on what is
/// computed beside a row.
class Bf16AttentionTest {
  private static final long SEED = Seeds.seed(29);

  private final List<CpuBackend> backends = new ArrayList<>();

  @BeforeEach
  void open() {
    assumeTrue(KernelCode.MACHINE_BF16.missing() == null, "[no-avx512-bf16] no products of bf16");
    for (int threads = 1; threads <= 3; threads++) {
      backends.add(new CpuBackend(threads, null, KernelCode.MACHINE_BF16));
    }
  }

  @AfterEach
  void close() {
    backends.forEach(CpuBackend::close);
  }

  static Stream<AttentionCase> cases() {
    List<AttentionCase> cases = new ArrayList<>();
    for (int ratio : new int[] {1, 2, 4, 7, 8}) {
      cases.add(AttentionCase.of(2 * ratio, 2, 64, KvFormat.F16));
    }
    for (int dim : new int[] {16, 80, 128, 256}) {
      cases.add(AttentionCase.of(4, 2, dim, KvFormat.BF16));
    }
    for (KvFormat format : List.of(KvFormat.F16, KvFormat.BF16)) {
      cases.add(new AttentionCase(4, 2, 192, 128, false, 0, 0, false, format));
      cases.add(new AttentionCase(8, 2, 32, 32, false, 20, 0, false, format));
      cases.add(new AttentionCase(8, 2, 32, 32, false, 300, 0, true, format));
      cases.add(new AttentionCase(4, 2, 32, 32, false, 0, 3f, false, format));
    }
    return cases.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_anyCut_sameBits(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<AttentionCase.Rows> sequences =
        List.of(kind.rows(275, random), kind.rows(37, random), kind.rows(1, random));
    List<float[]> whole = kind.run(backends.get(0), 64, 1000, sequences);
    for (int chunk : new int[] {1, 2, 7, 48}) {
      for (int blockTokens : new int[] {16, 48, 128}) {
        CpuBackend backend = backends.get((chunk / 3 + blockTokens / 16) % 3);
        assertThat(AttentionCase.same(kind.run(backend, blockTokens, chunk, sequences), whole))
            .as("%s chunk %d block %d seed %d", kind, chunk, blockTokens, SEED)
            .isTrue();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_prefixShared_sameBitsAsAlone(AttentionCase kind) {
    if (kind.window() > 0) {
      return; // A fork of a window group cannot go back behind its window.
    }
    SplittableRandom random = new SplittableRandom(SEED + 1);
    AttentionCase.Rows base = kind.rows(600, random);
    List<Integer> shared = List.of(600, 600, 560, 520, 300, 257, 600);
    List<AttentionCase.Rows> sequences = new ArrayList<>(List.of(base));
    for (int i = 1; i < shared.size(); i++) {
      sequences.add(kind.after(base, shared.get(i), kind.rows(3 + i % 3, random)));
    }
    List<float[]> together = kind.runForked(backends.get(1), 48, sequences, shared);
    for (int i = 1; i < sequences.size(); i++) {
      float[] alone = kind.run(backends.get(2), 32, 100, sequences.subList(i, i + 1)).getFirst();
      int from = shared.get(i) * kind.heads() * kind.valueDim();
      assertThat(Arrays.mismatch(together.get(i), from, alone.length, alone, from, alone.length))
          .as("%s sequence %d seed %d", kind, i, SEED)
          .isNegative();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_anyKind_closeToReferenceButRounded(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 2);
    List<AttentionCase.Rows> sequences = List.of(kind.rows(275, random));
    float[] expected = kind.run(new ReferenceBackend(), 32, 100, sequences).getFirst();
    float[] actual = kind.run(backends.get(1), 32, 100, sequences).getFirst();
    double most = 0;
    for (int i = 0; i < expected.length; i++) {
      Seeds.close("%s seed %d".formatted(kind, SEED), i, actual[i], expected[i], 0.03);
      most = Math.max(most, Math.abs(actual[i] - expected[i]));
    }
    assertThat(most).as("%s is in bf16", kind).isGreaterThan(1e-4);
  }

  /// All steps written out for rows of one partition.
  @ParameterizedTest
  @MethodSource("plain")
  void attend_onePartition_hasTheBitsOfTheFormula(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 3);
    AttentionCase.Rows rows = kind.rows(67, random);
    float[] actual = kind.run(backends.get(1), 32, 100, List.of(rows)).getFirst();
    int dim = kind.keyDim();
    for (int row = 0; row < rows.length(); row++) {
      for (int head = 0; head < kind.heads(); head++) {
        float[] expected = attend(kind, rows, row, head);
        int at = (row * kind.heads() + head) * dim;
        assertThat(Arrays.copyOfRange(actual, at, at + dim))
            .as("%s row %d head %d seed %d", kind, row, head, SEED)
            .isEqualTo(expected);
      }
    }
  }

  static Stream<AttentionCase> plain() {
    return Stream.of(
        AttentionCase.of(8, 2, 64, KvFormat.F16),
        AttentionCase.of(2, 2, 32, KvFormat.BF16),
        AttentionCase.of(7, 1, 80, KvFormat.F16));
  }

  private static float[] attend(AttentionCase kind, AttentionCase.Rows rows, int row, int head) {
    int dim = kind.keyDim();
    int kvHead = head / (kind.heads() / kind.kvHeads());
    float[] scores = new float[128];
    for (int j = 0; j <= row; j++) {
      int k = (j * kind.kvHeads() + kvHead) * dim;
      int q = (row * kind.heads() + head) * dim;
      float s = 0;
      for (int c = 0; c < dim; c += 2) {
        float odd = Math.fma(rounded(rows.q()[q + c + 1]), stored(kind, rows.k()[k + c + 1]), s);
        s = Math.fma(rounded(rows.q()[q + c]), stored(kind, rows.k()[k + c]), odd);
      }
      scores[j] = s;
    }
    float sum = weigh(scores, row + 1, (float) (1 / Math.sqrt(dim)) * Softmax.LOG2_E);
    float[] out = new float[dim];
    for (int c = 0; c < dim; c++) {
      float acc = 0;
      for (int j = 0; j <= row; j += 2) {
        int v = (j * kind.kvHeads() + kvHead) * dim + c;
        if (j < row) {
          float second = stored(kind, rows.v()[v + kind.kvHeads() * dim]);
          acc = Math.fma(rounded(scores[j + 1]), second, acc);
        }
        acc = Math.fma(rounded(scores[j]), stored(kind, rows.v()[v]), acc);
      }
      out[c] = acc / sum;
    }
    return out;
  }

  /// The first `count` scores become weights.
  ///
  /// @return their sum
  private static float weigh(float[] scores, int count, float factor) {
    float largest = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, scores[i]);
    }
    float[] lanes = new float[16];
    for (int i = 0; i < count; i++) {
      float z = (scores[i] - largest) * factor;
      float nearest = (float) Math.rint(z);
      float weight = Softmax.ROUGH[3];
      for (int term = 2; term >= 0; term--) {
        weight = Math.fma(weight, z - nearest, Softmax.ROUGH[term]);
      }
      scores[i] = Math.scalb(Math.fma(weight, z - nearest, 1f), (int) nearest);
      lanes[i % 16] += scores[i];
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }

  private static float stored(AttentionCase kind, float value) {
    boolean isHalf = kind.format().equals(KvFormat.F16);
    return rounded(isHalf ? Float.float16ToFloat(Float.floatToFloat16(value)) : value);
  }

  /// To the nearest bf16, to the even one of two.
  private static float rounded(float value) {
    int bits = Float.floatToRawIntBits(value);
    int up = 0x7fff + (bits >>> 16 & 1);
    return Math.abs(value) < Float.MIN_NORMAL ? 0 : Float.intBitsToFloat(bits + up & 0xffff0000);
  }

  /// Codes are computed on in f32, for few queries and for many.
  @ParameterizedTest
  @MethodSource("codes")
  void attend_codes_sameBitsAsInF32(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 4);
    List<AttentionCase.Rows> sequences = List.of(kind.rows(275, random));
    try (CpuBackend other = new CpuBackend(2)) {
      List<float[]> expected = kind.run(other, 64, 100, sequences);
      for (int chunk : new int[] {1, 90}) {
        assertThat(AttentionCase.same(kind.run(backends.get(1), 64, chunk, sequences), expected))
            .as("%s chunk %d", kind, chunk)
            .isTrue();
      }
    }
  }

  static Stream<AttentionCase> codes() {
    return Stream.of(
        AttentionCase.of(8, 2, 64, KvFormat.INT8).with(new ExactRows(64, 64)),
        AttentionCase.of(8, 2, 64, KvFormat.INT4),
        AttentionCase.of(8, 2, 64, KvFormat.F32));
  }
}
