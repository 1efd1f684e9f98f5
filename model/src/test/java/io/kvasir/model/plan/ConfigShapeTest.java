package io.kvasir.model.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.KvLayer.Kind;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigShapeTest {
  private static final KvRecipe BF16 = KvRecipe.named("bf16");

  @Test
  void read_deepseekV3_hasTheKnownSizes() {
    ModelShape model =
        MemoryPlanTest.shape(
            """
            {"model_type":"deepseek_v3","hidden_size":7168,"intermediate_size":18432,
             "moe_intermediate_size":2048,"num_hidden_layers":61,"num_attention_heads":128,
             "num_key_value_heads":128,"n_routed_experts":256,"n_shared_experts":1,
             "num_experts_per_tok":8,"first_k_dense_replace":3,"q_lora_rank":1536,
             "kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,
             "vocab_size":129280,"max_position_embeddings":163840,"tie_word_embeddings":false,
             "n_group":8,"quantization_config":{"quant_method":"fp8"}}
            """);
    assertThat(model.parameters() / 1e9).isBetween(670.9, 671.1);
    assertThat(model.activeParameters() / 1e9).isBetween(37.0, 38.0);
    assertThat(model.weightType()).isEqualTo(TensorType.F8_E4M3);
    // 576 elements a layer: 70,272 bytes a token, as the DeepSeek reports give it.
    assertThat(model.kv().bytesPerToken(BF16)).isEqualTo(70_272);
    assertThat(model.kv().with(AttentionKind.MHA).bytesPerToken(BF16))
        .isEqualTo(61.0 * 128 * (192 + 128) * 2);
    assertThat(model.kv().attentionName()).isEqualTo("MLA");
  }

  @Test
  void read_gptOss20b_alternatesWindowsAndPacksExperts() {
    ModelShape model =
        MemoryPlanTest.shape(
            """
            {"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,
             "num_hidden_layers":24,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,
             "num_local_experts":32,"num_experts_per_tok":4,"vocab_size":201088,
             "sliding_window":128,"max_position_embeddings":131072,"attention_bias":true,
             "tie_word_embeddings":false,"quantization_config":{"quant_method":"mxfp4"}}
            """);
    assertThat(model.parameters() / 1e9).isBetween(20.85, 20.95);
    assertThat(model.activeParameters() / 1e9).isBetween(3.5, 4.3);
    assertThat(model.weightBytes(model.weightType()) / 1e9).isBetween(13.5, 14.0);
    assertThat(model.kv().layers().get(0).kind()).isEqualTo(Kind.WINDOW);
    assertThat(model.kv().layers().get(1).kind()).isEqualTo(Kind.FULL);
    assertThat(model.kv().groups()).containsValues(12, 12);
  }

  @Test
  void read_hybridModels_keepAStateBesideRows() {
    ModelShape next =
        MemoryPlanTest.shape(
            """
            {"model_type":"qwen3_next","hidden_size":2048,"intermediate_size":5120,
             "num_hidden_layers":48,"num_attention_heads":16,"num_key_value_heads":2,"head_dim":256,
             "full_attention_interval":4,"linear_conv_kernel_dim":4,"linear_key_head_dim":128,
             "linear_num_key_heads":16,"linear_num_value_heads":32,"linear_value_head_dim":128,
             "num_experts":512,"num_experts_per_tok":10,"moe_intermediate_size":512,
             "shared_expert_intermediate_size":512,"vocab_size":151936,
             "tie_word_embeddings":false,"max_position_embeddings":262144}
            """);
    assertThat(next.parameters() / 1e9).isBetween(79.0, 81.0);
    assertThat(next.activeParameters() / 1e9).isBetween(3.0, 4.2);
    assertThat(next.kv().bytesPerToken(BF16)).isEqualTo(12.0 * 2 * 512 * 2);
    assertThat(next.kv().layers().getFirst().stateBytes())
        .isEqualTo(4 * (32 * 128 * 128 + 8192 * 4));
  }

  @Test
  void read_familyDefaults_fillWhatOlderFilesLeaveOut() {
    String sizes =
        "\"hidden_size\":64,\"num_hidden_layers\":12,\"num_attention_heads\":4,\"vocab_size\":320,"
            + "\"intermediate_size\":128,\"sliding_window\":16";
    assertThat(windows("{\"model_type\":\"gemma2\"," + sizes + "}")).isEqualTo("wfwfwfwfwfwf");
    assertThat(windows("{\"model_type\":\"gemma3_text\"," + sizes + "}")).isEqualTo("wwwwwfwwwwwf");
    assertThat(windows("{\"model_type\":\"mistral\"," + sizes + "}")).isEqualTo("wwwwwwwwwwww");
    assertThat(windows("{\"model_type\":\"qwen2\"," + sizes + "}")).isEqualTo("ffffffffffff");
    assertThat(
            windows(
                "{\"model_type\":\"qwen2\",\"use_sliding_window\":true,\"max_window_layers\":10,"
                    + sizes
                    + "}"))
        .isEqualTo("ffffffffffww");
    assertThat(windows("{\"model_type\":\"gemma3\",\"text_config\":{" + sizes + "}}"))
        .isEqualTo("wwwwwfwwwwwf");
  }

  private static String windows(String config) {
    StringBuilder out = new StringBuilder();
    for (KvLayer layer : MemoryPlanTest.shape(config).kv().layers()) {
      out.append(layer.kind() == Kind.WINDOW ? 'w' : 'f');
    }
    return out.toString();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[]",
        "{}",
        "{\"hidden_size\":64}",
        "{\"hidden_size\":64,\"num_hidden_layers\":99999999,\"num_attention_heads\":4,\"vocab_size\":9}",
        "{\"hidden_size\":64,\"num_hidden_layers\":-1,\"num_attention_heads\":4,\"vocab_size\":9}",
        "{\"hidden_size\":\"x\",\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":9}",
        "{\"hidden_size\":1e300,\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":9}",
        "{\"hidden_size\":64,\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":9,"
            + "\"num_key_value_heads\":3}",
        "{\"hidden_size\":64,\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":9,"
            + "\"layer_types\":[\"magic\"]}",
        "{\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":9,"
            + "\"layer_types\":[\"full_attention\"]}",
        "{\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":9,"
            + "\"layer_types\":7}",
        "{\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":9,"
            + "\"num_kv_shared_layers\":2}",
        "{\"hidden_size\":16777216,\"num_hidden_layers\":9999,\"num_attention_heads\":1,"
            + "\"vocab_size\":9,\"num_experts\":16777216,\"intermediate_size\":16777216}",
      })
  void read_hostileConfig_isRefusedInASentence(String config) {
    assertThatExceptionOfType(ModelFormatException.class)
        .isThrownBy(() -> MemoryPlanTest.shape(config))
        .withMessageContaining("config.json")
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(250));
  }

  /// All reference checkpoints: the counted parameters are those in the files.
  @Test
  void read_referenceConfigs_countTheParametersInTheFiles() throws IOException {
    Path cases =
        Path.of(System.getProperty("kvasir.root", ".."))
            .toAbsolutePath()
            .resolve("../shared/reference/hf")
            .normalize();
    Assumptions.assumeTrue(
        Files.isDirectory(cases), "[no-reference-data] " + cases + " is not there");
    List<String> wrong = new ArrayList<>();
    int count = 0;
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(cases, Files::isDirectory)) {
      for (Path folder : folders) {
        ModelShape model = MemoryPlanTest.shape(Files.readString(folder.resolve("config.json")));
        long counted = model.parameters();
        long stored = storedParameters(folder.resolve("model.safetensors"));
        count++;
        if (counted != stored) {
          wrong.add(folder.getFileName() + ": counted " + counted + ", stored " + stored);
        }
      }
    }
    assertThat(count).isGreaterThanOrEqualTo(40);
    assertThat(wrong).isEmpty();
  }

  private static long storedParameters(Path file) throws IOException {
    String header;
    try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
      long length = Long.reverseBytes(in.readLong());
      header = new String(in.readNBytes((int) length), StandardCharsets.UTF_8);
    }
    long sum = 0;
    for (Map.Entry<String, Json> tensor : Json.parse(header).asMap().entrySet()) {
      if (!tensor.getKey().equals("__metadata__")) {
        long elements = 1;
        for (Json dim : tensor.getValue().get("shape").asList()) {
          elements *= dim.asLong();
        }
        sum += elements;
      }
    }
    return sum;
  }
}
