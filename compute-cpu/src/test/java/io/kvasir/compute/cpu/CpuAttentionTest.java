package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.kvasir.compute.ReferenceBackend;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KiviFormat;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.LloydMaxFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CpuAttentionTest {
  private static final long SEED = Seeds.seed(23);

  private final ReferenceBackend reference = new ReferenceBackend();
  private final List<CpuBackend> backends =
      List.of(new CpuBackend(1), new CpuBackend(2), new CpuBackend(3));

  private final CpuBackend vector = new CpuBackend(2, null, KernelCode.VECTOR);

  @AfterEach
  void close() {
    vector.close();
    backends.forEach(CpuBackend::close);
  }

  static Stream<AttentionCase> cases() {
    List<AttentionCase> cases = new ArrayList<>();
    for (int ratio : new int[] {1, 2, 4, 7, 8}) {
      cases.add(AttentionCase.of(2 * ratio, 2, 64, KvFormat.F16));
    }
    for (int dim : new int[] {6, 16, 80, 96, 128, 256}) {
      cases.add(AttentionCase.of(4, 2, dim, KvFormat.BF16));
    }
    for (KvFormat format : List.of(KvFormat.F32, KvFormat.F16, KvFormat.BF16)) {
      cases.add(AttentionCase.of(3, 1, 40, format));
      cases.add(new AttentionCase(4, 2, 192, 128, false, 0, 0, false, format));
      cases.add(new AttentionCase(5, 1, 576, 512, true, 0, 0, false, format));
      cases.add(new AttentionCase(8, 2, 32, 32, false, 20, 0, false, format));
      cases.add(new AttentionCase(8, 2, 32, 32, false, 300, 0, true, format));
    }
    for (KvFormat format : KvFormat.ALL) {
      if (Set.of(KvFormat.F32, KvFormat.F16, KvFormat.BF16).contains(format)) {
        continue;
      }
      cases.add(exact(AttentionCase.of(8, 2, 64, format)));
      cases.add(exact(AttentionCase.of(7, 1, 80, format)));
    }
    for (String name : List.of("int8", "q8_0", "int4", "lm4")) {
      KvFormat format = KvFormat.named(name);
      for (int ratio : new int[] {1, 2, 7, 8}) {
        cases.add(AttentionCase.of(ratio, 1, ratio == 2 ? 128 : 96, format));
      }
    }
    for (KvFormat format : List.of(KvFormat.INT8, KvFormat.INT4)) {
      cases.add(exact(new AttentionCase(2, 1, 128, 96, false, 0, 0, false, format)));
      cases.add(AttentionCase.of(8, 2, 32, format).with(new ExactRows(64, 64)));
      cases.add(
          new AttentionCase(8, 2, 32, 32, false, 300, 3f, true, format)
              .with(new ExactRows(0, 128)));
    }
    for (String name : List.of("int8", "int4", "fp8", "lm3", "kvarn4", "kivi4")) {
      cases.add(exact(AttentionCase.of(4, 1, 256, KvFormat.named(name))));
    }
    cases.add(exact(AttentionCase.of(4, 2, 112, KvFormat.INT4)));
    cases.add(exact(AttentionCase.of(4, 2, 256, KvFormat.INT5)));
    cases.add(exact(AttentionCase.of(4, 2, 40, KvFormat.INT6)));
    cases.add(exact(new AttentionCase(5, 1, 96, 64, true, 0, 0, false, KvFormat.INT8)));
    cases.add(exact(new AttentionCase(5, 1, 96, 64, true, 0, 0, false, KvFormat.INT4)));
    cases.add(new AttentionCase(4, 2, 32, 32, false, 0, 3f, false, KvFormat.F32));
    cases.add(new AttentionCase(4, 2, 32, 32, false, 1, 3f, true, KvFormat.F32));
    return cases.stream();
  }

  /// The least that must be exact: nothing, or the cell of 64 that a tile is gathered in.
  private static AttentionCase exact(AttentionCase kind) {
    int tile = kind.tile();
    return tile == 1 ? kind : kind.with(new ExactRows(0, tile > ExactRows.GRID ? tile : 0));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_anyKind_equalsReference(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int length : new int[] {1, 15, 17, 130, 530}) {
      if (length > 130 && kind.keyDim() > (kind.isCoded() ? 32 : 64)) {
        continue;
      }
      List<AttentionCase.Rows> sequences = List.of(kind.rows(length, random));
      float[] expected = kind.run(reference, 32, 100, sequences).getFirst();
      float[] actual = kind.run(backends.get(1), 32, 100, sequences).getFirst();
      String what = "%s length %d seed %d".formatted(kind, length, SEED);
      for (int i = 0; i < expected.length; i++) {
        Seeds.close(what, i, actual[i], expected[i], 2e-5);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_anyCut_sameBits(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 1);
    List<AttentionCase.Rows> sequences =
        List.of(kind.rows(275, random), kind.rows(37, random), kind.rows(1, random));
    List<float[]> whole = kind.run(backends.get(0), 64, 1000, sequences);
    for (int chunk : new int[] {1, 7, 16, 48}) {
      for (int blockTokens : new int[] {16, 48, 128}) {
        if (kind.isCoded() && (chunk + blockTokens / 16) % 3 != 2) {
          continue; // A few of the combinations: there are many formats.
        }
        CpuBackend backend = backends.get((chunk / 3 + blockTokens / 16) % 3);
        assertThat(AttentionCase.same(kind.run(backend, blockTokens, chunk, sequences), whole))
            .as(
                "%s chunk %d block %d %s seed %d",
                kind, chunk, blockTokens, backend.description(), SEED)
            .isTrue();
      }
    }
    for (int s = 0; s < sequences.size(); s++) {
      List<float[]> alone = kind.run(backends.get(1), 32, 5, List.of(sequences.get(s)));
      assertThat(AttentionCase.same(alone, List.of(whole.get(s))))
          .as("%s sequence %d alone, seed %d", kind, s, SEED)
          .isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_prefixShared_sameBitsAsAlone(AttentionCase kind) {
    if (kind.window() > 0 || kind.exact().hasTail()) {
      return; // A fork of a window group cannot go back behind its window.
    }
    SplittableRandom random = new SplittableRandom(SEED + 2);
    AttentionCase.Rows base = kind.rows(600, random);
    // Neighbours share one or two partitions of 256 positions with some and all of it with others.
    List<Integer> shared = List.of(600, 600, 560, 520, 300, 257, 256, 255, 600);
    List<AttentionCase.Rows> sequences = new ArrayList<>();
    sequences.add(base);
    for (int i = 1; i < shared.size(); i++) {
      sequences.add(kind.after(base, shared.get(i), kind.rows(3 + i % 3, random)));
    }
    int[] sizes = kind.isCoded() ? new int[] {48} : new int[] {16, 48, 128};
    for (int blockTokens : sizes) {
      CpuBackend backend = backends.get(blockTokens % 3);
      List<float[]> together = kind.runForked(backend, blockTokens, sequences, shared);
      for (int i = 1; i < sequences.size(); i++) {
        float[] alone = kind.run(backends.get(1), 32, 100, sequences.subList(i, i + 1)).getFirst();
        int from = shared.get(i) * kind.heads() * kind.valueDim();
        assertThat(Arrays.mismatch(together.get(i), from, alone.length, alone, from, alone.length))
            .as("%s sequence %d block %d seed %d", kind, i, blockTokens, SEED)
            .isNegative();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void attend_vectorApi_sameBitsAsMachineCode(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 5);
    List<AttentionCase.Rows> sequences = List.of(kind.rows(277, random), kind.rows(45, random));
    List<float[]> expected = kind.run(vector, 64, 1, sequences);
    for (int blockTokens : kind.isCoded() ? new int[] {48} : new int[] {48, 64}) {
      int chunk = blockTokens == 48 ? 1 : 90;
      List<float[]> actual = kind.run(backends.get(1), blockTokens, chunk, sequences);
      assertThat(AttentionCase.same(actual, expected))
          .as("%s block %d seed %d", kind, blockTokens, SEED)
          .isTrue();
    }
  }

  /// With vectors of sixteen lanes the other code is that of AVX-512; with fewer (`-XX:UseAVX=2`)
  /// it is that of AVX2 too, which the Vector API checks above.
  @ParameterizedTest
  @MethodSource("cases")
  void attend_avx2_sameBitsAsWiderCode(AttentionCase kind) {
    assumeThat(KernelCode.MACHINE_AVX2.missing()).isNull();
    SplittableRandom random = new SplittableRandom(SEED + 6);
    List<AttentionCase.Rows> sequences = List.of(kind.rows(277, random), kind.rows(45, random));
    try (CpuBackend avx2 = new CpuBackend(2, null, KernelCode.MACHINE_AVX2)) {
      for (int chunk : new int[] {1, 90}) {
        List<float[]> expected = kind.run(backends.get(1), 48, chunk, sequences);
        List<float[]> actual = kind.run(avx2, 48, chunk, sequences);
        assertThat(AttentionCase.same(actual, expected))
            .as("%s chunk %d seed %d", kind, chunk, SEED)
            .isTrue();
      }
    }
  }

  static Stream<AttentionCase> skipping() {
    return Stream.of(
        AttentionCase.of(8, 2, 64, KvFormat.F16),
        AttentionCase.of(7, 1, 80, KvFormat.F32),
        AttentionCase.of(8, 2, 64, KvFormat.INT8),
        AttentionCase.of(8, 2, 32, KvFormat.INT4).with(new ExactRows(0, 0)),
        AttentionCase.of(4, 2, 48, KvFormat.INT5).with(new ExactRows(128, 128)),
        AttentionCase.of(2, 2, 32, new LloydMaxFormat(3)).with(new ExactRows(64, 0)),
        AttentionCase.of(4, 1, 32, new KiviFormat(4)).with(new ExactRows(0, 64)),
        new AttentionCase(4, 2, 32, 32, false, 0, 3f, true, KvFormat.INT6));
  }

  @ParameterizedTest
  @MethodSource("skipping")
  void attend_skippingPages_equalsReferenceAndSameBitsForAnyCut(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 4);
    AttentionCase.Rows all = kind.rows(610, random);
    int columns = kind.heads() * kind.valueDim();
    float[] dense = kind.run(backends.get(1), 64, 100, List.of(all)).getFirst();
    for (double ratio : new double[] {0.5, 0.8}) {
      AttentionCase.Rows rows = all.skipping(405, ratio);
      float[] expected = kind.run(reference, 64, 100, List.of(rows)).getFirst();
      float[] whole = kind.run(backends.get(0), 64, 1000, List.of(fresh(rows, ratio))).getFirst();
      String what = "%s ratio %s seed %d".formatted(kind, ratio, SEED);
      for (int i = 0; i < expected.length; i++) {
        Seeds.close(what, i, whole[i], expected[i], 2e-5);
      }
      // A page far away may count for nothing where distance does.
      assertThat(Arrays.mismatch(whole, dense)).as(what).isBetween(405 * columns, 410 * columns);
      for (int chunk : new int[] {1, 7, 48}) {
        // Beside a sequence that reads everything.
        List<AttentionCase.Rows> both = List.of(fresh(rows, ratio), kind.rows(90, random));
        int blockTokens = chunk == 7 ? 128 : 16 * chunk % 112 + 16;
        float[] cut = kind.run(backends.get(chunk % 3), blockTokens, chunk, both).getFirst();
        assertThat(Arrays.mismatch(cut, whole)).as("%s chunk %d", what, chunk).isNegative();
      }
    }
  }

  /// The same rows, of whose pages nothing is known yet.
  private static AttentionCase.Rows fresh(AttentionCase.Rows rows, double ratio) {
    return rows.skipping(405, ratio);
  }

  static Stream<AttentionCase> prunable() {
    return Stream.of(
        AttentionCase.of(8, 2, 64, KvFormat.F16),
        AttentionCase.of(7, 1, 80, KvFormat.F32),
        AttentionCase.of(8, 2, 64, KvFormat.INT8),
        AttentionCase.of(8, 2, 64, KvFormat.INT4),
        AttentionCase.of(4, 2, 48, KvFormat.INT5).with(new ExactRows(64, 0)),
        AttentionCase.of(4, 2, 32, KvFormat.INT4).with(new ExactRows(128, 64)),
        new AttentionCase(4, 2, 32, 32, false, 0, 3f, true, KvFormat.INT6),
        new AttentionCase(4, 2, 32, 32, false, 0, 0, true, KvFormat.INT8),
        new AttentionCase(5, 1, 96, 64, true, 0, 0, false, KvFormat.BF16));
  }

  @ParameterizedTest
  @MethodSource("prunable")
  void attend_pruned_equalsReferenceAndSameBitsForAnyCut(AttentionCase kind) {
    SplittableRandom random = new SplittableRandom(SEED + 3);
    for (int pruned : new int[] {64, 320}) {
      AttentionCase.Rows rows = kind.rows(pruned + 80, random);
      float[] expected = kind.runPruned(reference, pruned, 60, rows);
      float[] actual = kind.runPruned(backends.get(0), pruned, 150, rows);
      String what = "%s pruned %d seed %d".formatted(kind, pruned, SEED);
      for (int i = 0; i < expected.length; i++) {
        Seeds.close(what, i, actual[i], expected[i], 2e-5);
      }
      for (int chunk : new int[] {1, 17}) {
        float[] cut = kind.runPruned(backends.get(chunk % 3), pruned, chunk, rows);
        assertThat(Arrays.mismatch(cut, actual)).as("%s chunk %d", what, chunk).isNegative();
      }
    }
  }
}
