package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GgufFileTest {

  @Test
  void open_defaultModel_hasItsMetadataAndTensors() {
    try (GgufFile model = GgufFile.open(SharedFiles.defaultGguf())) {
      GgufMetadata metadata = model.metadata();
      assertThat(metadata.requireString("general.architecture")).isEqualTo("llama");
      assertThat(metadata.requireInt("llama.block_count")).isEqualTo(8);
      assertThat(metadata.requireInt("llama.attention.head_count_kv")).isEqualTo(2);
      List<String> tokens = metadata.strings("tokenizer.ggml.tokens");
      assertThat(tokens).hasSize(8192);
      assertThat(metadata.ints("tokenizer.ggml.token_type")).hasSize(8192);
      Tensor embeddings = model.get("token_embd.weight");
      assertThat(embeddings.shape()).containsExactly(8192, 512);
      assertThat(embeddings.type()).isEqualTo(TensorType.Q8_0);
      assertThat(model.find("no.such")).isNull();
      assertThatThrownBy(() -> model.get("no.such"))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("no.such");
    }
  }

  @Test
  void open_defaultModel_takesUnder20Milliseconds() {
    var path = SharedFiles.defaultGguf();
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      long start = System.nanoTime();
      GgufFile.open(path).close();
      best = Math.min(best, System.nanoTime() - start);
    }
    assertThat(best / 1e6).as("milliseconds").isLessThan(20);
  }

  @Test
  void tensors_defaultModel_agreeWithItsSafetensorsWithinTheStepOfQ8() {
    Map<String, String> sameWeights =
        Map.of(
            "token_embd.weight", "model.embed_tokens.weight",
            "output_norm.weight", "model.norm.weight",
            "blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight",
            "blk.3.attn_v.weight", "model.layers.3.self_attn.v_proj.weight",
            "blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight");
    try (GgufFile gguf = GgufFile.open(SharedFiles.defaultGguf());
        SafetensorsFile folder = SafetensorsFile.open(SharedFiles.defaultFolder())) {
      sameWeights.forEach((name, other) -> compare(gguf.get(name), folder.get(other)));
    }
  }

  private static void compare(Tensor quantized, Tensor original) {
    assertThat(quantized.shape()).isEqualTo(original.shape());
    int columns = (int) original.columns();
    float[] expected = new float[columns];
    float[] actual = new float[columns];
    for (long row = 0; row < original.rows(); row++) {
      original.decodeRow(row, expected, 0);
      quantized.decodeRow(row, actual, 0);
      for (int block = 0; block < columns; block += 32) {
        float largest = 0;
        float error = 0;
        for (int i = block; i < block + 32; i++) {
          largest = Math.max(largest, Math.abs(expected[i]));
          error = Math.max(error, Math.abs(expected[i] - actual[i]));
        }
        // Half a step of 1/127 and the rounding of the scale to f16 (2^-11 of the value).
        float bound = quantized.type() == TensorType.Q8_0 ? largest * 0.0045f : 0;
        if (error > bound) {
          assertThat(error).as("%s row %d weight %d", quantized, row, block).isZero();
        }
      }
    }
  }
}
