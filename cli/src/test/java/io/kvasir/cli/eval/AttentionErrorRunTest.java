package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Errors of attention on the model that comes with Kvasir, and rows through codecs.
class AttentionErrorRunTest {
  private static final Path MODEL =
      Path.of(System.getProperty("kvasir.root", ".."))
          .resolve("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");

  @Test
  void measure_growsWithFewerBitsInEveryLayer() {
    int[] text = new SplittableRandom(4).ints(100, 3, 8192).toArray();
    List<AttentionError> errors;
    try (Backend backend = new CpuBackend(2);
        Model model = Model.open(MODEL, backend, new Transformer.Rows(64, 1), 0)) {
      EvalSubject subject = new EvalSubject(model.transformer(), backend, 64, KvProfile.NONE);
      errors =
          new AttentionErrorRun(subject, text)
              .measure(
                  List.of(
                      KvRecipe.of(KvFormat.F32),
                      KvRecipe.of(KvFormat.F16),
                      KvRecipe.of(KvFormat.INT8),
                      KvRecipe.of(KvFormat.INT4)),
                  text1 -> {});
    }
    for (int layer = 0; layer < 8; layer++) {
      double half = errors.get(1).layers().get(layer).output();
      double eight = errors.get(2).layers().get(layer).output();
      double four = errors.get(3).layers().get(layer).output();
      assertThat(errors.get(0).layers().get(layer).output()).isLessThan(1e-6);
      assertThat(half).isBetween(1e-5, 1e-3);
      assertThat(eight).isBetween(2 * half, 0.03);
      assertThat(four).isBetween(4 * eight, 0.4);
      assertThat(errors.get(3).layers().get(layer).logits())
          .isGreaterThan(errors.get(2).layers().get(layer).logits());
    }
  }

  @Test
  void storedRows_comeBackInTheirOwnBasis() {
    LayerKv kv = new LayerKv(2, 64, 64, 0, KvFormat.INT8, KvFormat.INT8, new ExactRows(64, 0));
    float[][][] means = new float[1][2][64];
    means[0][1][5] = 40;
    KvBasis basis = KvBasis.of(kv, new KvProfile("test", means), 0);
    SplittableRandom random = new SplittableRandom(8);
    List<float[]> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      float[] row = new float[128];
      for (int c = 0; c < row.length; c++) {
        row[c] = (float) random.nextDouble(-1, 1) + (c == 64 + 5 ? 40 : 0);
      }
      rows.add(row);
    }

    StoredRows keys = StoredRows.keys(kv, basis, 1, rows, 64);

    // Position 199 lies in the cell from 192 on; of the rest, the first 64 rows are exact.
    for (int row : new int[] {0, 63, 64, 191, 192, 199}) {
      boolean exact = row < 64 || row >= 192;
      double error = 0;
      for (int c = 0; c < 64; c++) {
        error = Math.max(error, Math.abs(keys.read(row, 199)[c] - rows.get(row)[64 + c]));
      }
      assertThat(error).as("row %d", row).isCloseTo(0, within(exact ? 2e-3 : 3e-2));
      assertThat(error > 2e-3).as("row %d", row).isEqualTo(!exact);
    }
  }
}
