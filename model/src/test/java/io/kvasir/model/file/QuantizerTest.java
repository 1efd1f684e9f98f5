package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QuantizerTest {
  @TempDir Path folder;

  @Test
  void write_defaultModelToItsOwnFormat_keepsEveryBlock() throws IOException {
    Path out = folder.resolve("q8.gguf");
    try (GgufFile model = GgufFile.open(SharedFiles.defaultGguf())) {
      Quantizer.Report report =
          new Quantizer(TensorType.Q8_0, done -> {}).write(GgufPlan.of(model), out);
      assertThat(report.fileBytes()).isEqualTo(Files.size(out));
      assertThat(report.bytesAfter()).isEqualTo(report.bytesBefore());
      try (GgufFile copy = GgufFile.open(out)) {
        assertThat(copy.tensors()).isEqualTo(model.tensors());
      }
    }
  }

  @Test
  void write_defaultModelToQ4_halvesItAndReportsTheError() throws IOException {
    Path out = folder.resolve("q4.gguf");
    List<String> seen = new ArrayList<>();
    try (GgufFile model = GgufFile.open(SharedFiles.defaultGguf())) {
      Quantizer quantizer = new Quantizer(TensorType.Q4_0, done -> seen.add(done.name()));
      Quantizer.Report report = quantizer.write(GgufPlan.of(model), out);
      assertThat((double) report.bytesAfter() / report.bytesBefore()).isBetween(0.52, 0.54);
      assertThat(seen).hasSameSizeAs(model.tensors());
      for (Quantizer.TensorReport tensor : report.tensors()) {
        if (tensor.name().contains("norm")) {
          assertThat(tensor.to()).isEqualTo(TensorType.F32);
          assertThat(tensor.relativeError()).isZero();
        } else {
          assertThat(tensor.to()).isEqualTo(TensorType.Q4_0);
          assertThat(tensor.relativeError()).isBetween(0.01, 0.15);
        }
      }
      try (GgufFile copy = GgufFile.open(out)) {
        assertThat(copy.metadata().requireInt("general.file_type")).isEqualTo(2);
        assertThat(copy.metadata().strings("tokenizer.ggml.tokens"))
            .isEqualTo(model.metadata().strings("tokenizer.ggml.tokens"));
      }
    }
  }

  @Test
  void write_safetensorsUnderOtherNames_followsThePlan() throws IOException {
    Path out = folder.resolve("m.gguf");
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", GgufValue.of("llama"));
    try (TensorSource source = TensorSource.open(SharedFiles.require("reference/hf/qwen3"))) {
      List<GgufPlan.Part> parts = new ArrayList<>();
      for (StoredWeight weight : ((AssembledWeights) source).weights()) {
        parts.add(GgufPlan.Part.of("x." + weight.name(), weight));
      }
      new Quantizer(TensorType.Q8_0, done -> {}).write(GgufPlan.of(metadata, parts), out);
      try (GgufFile copy = GgufFile.open(out)) {
        assertThat(copy.tensors()).hasSameSizeAs(source.tensors());
        for (Tensor tensor : source.tensors()) {
          Tensor copied = copy.get("x." + tensor.name());
          assertThat(copied.shape()).isEqualTo(tensor.shape());
          boolean matrix = tensor.dimensions() == 2;
          assertThat(copied.type()).isEqualTo(matrix ? TensorType.Q8_0 : TensorType.F32);
        }
      }
    }
  }

  @Test
  void targetType_rowsOfNoWholeBlocks_fallsBack() {
    Quantizer quantizer = new Quantizer(TensorType.TQ1_0, done -> {});
    assertThat(quantizer.targetType(part("w", 4, 256))).isEqualTo(TensorType.TQ1_0);
    assertThat(quantizer.targetType(part("w", 4, 96))).isEqualTo(TensorType.Q8_0);
    assertThat(quantizer.targetType(part("w", 4, 33))).isEqualTo(TensorType.F16);
    assertThat(quantizer.targetType(part("blk.0.ffn_gate_inp.weight", 4, 256)))
        .isEqualTo(TensorType.F32);
    assertThat(quantizer.targetType(part("b", 256))).isEqualTo(TensorType.F32);
  }

  private static GgufPlan.Part part(String name, long... shape) {
    return new GgufPlan.Part(name, TensorType.F32, shape, 0, List.of());
  }

  @Test
  void constructor_formatThatIsOnlyRead_isRefusedWithTheList() {
    assertThatThrownBy(() -> new Quantizer(TensorType.Q2_K, done -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("does not write Q2_K; it writes [F32, F16, BF16, Q4_0");
    assertThatThrownBy(() -> new Quantizer(TensorType.F8_E4M3, done -> {}))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
