package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.file.SafetensorsFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Logits, hidden states and greedy continuations of every covered architecture against those that
/// the published implementations gave, on each backend.
final class GoldenLogitsTest {
  private static final double TOLERANCE = 5e-4;

  @TestFactory
  Stream<DynamicTest> architecture_reference_matchesGolden() {
    return ReferenceData.cases((folder, name) -> check(folder, folder, new ReferenceBackend()));
  }

  @TestFactory
  Stream<DynamicTest> architecture_cpu_matchesGolden() {
    return ReferenceData.cases((folder, name) -> check(folder, folder, new CpuBackend(2)));
  }

  /// Compares a model with the golden values of a folder; closes the backend.
  static void check(Path path, Path folder, Backend backend) {
    try (backend;
        SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"));
        Model model = Model.open(path, backend, new Transformer.Rows(64, 1), 0)) {
      int[] ids = ints(golden.get("input_ids"));
      int[] greedy = ints(golden.get("greedy_ids"));
      int total = ids.length + greedy.length;
      try (Forward forward = new Forward(model, backend, 16, KvFormat.F32, total)) {
        forward.run(ids, 64);
        compareHidden(golden, forward, ids.length);
        assertThat(difference(golden.get("logits"), forward.logits)).isLessThan(TOLERANCE);
        for (int expected : greedy) {
          int token = forward.greedy();
          assertThat(token).as("token after %d", forward.length()).isEqualTo(expected);
          forward.step(new int[] {token});
        }
      }
    }
  }

  private static void compareHidden(SafetensorsFile golden, Forward forward, int tokens) {
    for (int layer = 0; layer < forward.hidden.length; layer++) {
      Tensor expected = golden.find("hidden." + layer);
      assertThat(expected).as("hidden.%d", layer).isNotNull();
      if (expected != null) {
        assertThat(expected.rows()).isEqualTo(tokens);
        assertThat(difference(expected, forward.hidden[layer]))
            .as("hidden.%d", layer)
            .isLessThan(TOLERANCE);
      }
    }
  }

  /// The largest absolute difference, NaN where either has one.
  private static double difference(Tensor expected, float[][] actual) {
    float[] values = expected.toFloats();
    int columns = (int) expected.columns();
    double worst = 0;
    for (int i = 0; i < values.length; i++) {
      double d = Math.abs(values[i] - actual[i / columns][i % columns]);
      worst = Double.isNaN(d) ? Double.NaN : Math.max(worst, d);
    }
    return worst;
  }

  static int[] ints(Tensor tensor) {
    MemorySegment data = tensor.data();
    int[] values = new int[(int) tensor.elements()];
    int size = tensor.type().blockBytes();
    for (int i = 0; i < values.length; i++) {
      values[i] =
          size == 8
              ? (int) data.get(ValueLayout.JAVA_LONG_UNALIGNED, 8L * i)
              : data.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
    }
    return values;
  }
}
