package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.util.List;
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
    for (int i = 0; i < 5; i++) {
      long start = System.nanoTime();
      GgufFile.open(path).close();
      best = Math.min(best, System.nanoTime() - start);
    }
    assertThat(best / 1e6).as("milliseconds").isLessThan(20);
  }
}
