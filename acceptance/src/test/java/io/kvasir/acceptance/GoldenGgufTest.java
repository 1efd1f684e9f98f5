package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.model.Model;
import io.kvasir.model.ModelConversion;
import io.kvasir.model.Transformer;
import io.kvasir.model.file.Quantizer;
import io.kvasir.model.file.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// Every covered architecture again, from GGUF: its Hugging Face folder is converted, and what the
/// converted file computes is held against the published implementation.
final class GoldenGgufTest {
  /// The tiny models have few weights a block, and a mixture may pick another expert.
  private static final double CLOSE = 0.98;

  @TempDir Path temporary = Path.of("");

  @TestFactory
  Stream<DynamicTest> folder_convertedToF32_matchesGolden() {
    return ReferenceData.cases((folder, name) -> {
      Path file = converted(folder, name, TensorType.F32);
      GoldenLogitsTest.check(file, folder, new CpuBackend(2));
    });
  }

  @TestFactory
  Stream<DynamicTest> folder_convertedToQ8_staysClose() {
    return ReferenceData.cases((folder, name) -> {
      Path file = converted(folder, name, TensorType.Q8_0);
      try (SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"))) {
        float[] expected = golden.get("logits").toFloats();
        assertThat(cosine(expected, logits(file, golden))).isGreaterThan(CLOSE);
      }
    });
  }

  @TestFactory
  Stream<DynamicTest> file_requantized_computesWithTheValuesItHolds() {
    return ReferenceData.cases((folder, name) -> {
      Path quantized = converted(folder, name, TensorType.Q4_0);
      Path plain = converted(quantized, name + "-again", TensorType.F32);
      try (SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"))) {
        Tensor shape = golden.get("logits");
        float[] expected = logits(plain, golden);
        float[] actual = logits(quantized, golden);
        double worst = 0;
        for (int i = 0; i < shape.elements(); i++) {
          worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
        }
        assertThat(worst).isLessThan(1e-3);
      }
    });
  }

  private Path converted(Path source, String name, TensorType type) throws IOException {
    Path file = temporary.resolve(name + "-" + type + ".gguf");
    Quantizer.Report report =
        ModelConversion.convert(source, file, new Quantizer(type, done -> {}));
    assertThat(report.fileBytes()).isEqualTo(Files.size(file));
    return file;
  }

  private static float[] logits(Path file, SafetensorsFile golden) {
    int[] ids = GoldenLogitsTest.ints(golden.get("input_ids"));
    try (Backend backend = new ReferenceBackend();
        Model model = Model.open(file, backend, new Transformer.Rows(64, 1), 0);
        Forward forward = new Forward(model, backend, 16, KvFormat.F32, ids.length)) {
      forward.run(ids, 64);
      int columns = forward.logits[0].length;
      float[] flat = new float[ids.length * columns];
      for (int row = 0; row < ids.length; row++) {
        System.arraycopy(forward.logits[row], 0, flat, row * columns, columns);
      }
      return flat;
    }
  }

  private static double cosine(float[] a, float[] b) {
    double product = 0;
    double normA = 0;
    double normB = 0;
    for (int i = 0; i < a.length; i++) {
      product += (double) a[i] * b[i];
      normA += (double) a[i] * a[i];
      normB += (double) b[i] * b[i];
    }
    return product / Math.sqrt(normA * normB);
  }
}
