package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.cli.Shell.Outcome;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlanCommandTest {
  private static final String LLAMA_70B =
      """
      {"model_type":"llama","hidden_size":8192,"intermediate_size":28672,"num_hidden_layers":80,
       "num_attention_heads":64,"num_key_value_heads":8,"vocab_size":128256,
       "max_position_embeddings":131072,"tie_word_embeddings":false,"torch_dtype":"bfloat16"}
      """;

  @TempDir Path folder;

  private String config() throws IOException {
    return Files.writeString(folder.resolve("llama-70b.json"), LLAMA_70B).toString();
  }

  @Test
  void bareConfig_showsUsersForEachFormatAndAttention() throws IOException {
    Outcome outcome = Shell.run("plan", config(), "--memory", "80GiB", "--context", "128k");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .containsPattern("(?m)^GQA 8 \\(this model\\) +f16 +320.0 KiB +40.0 GiB +2 +0 +262144 +0$")
        .containsPattern("(?m)^GQA 8 \\(this model\\) +int8 +162.5 KiB +20.3 GiB +3 ")
        .containsPattern("(?m)^GQA 8 \\(this model\\) +int4 +90.0 KiB +11.3 GiB +7 ")
        .containsPattern("(?m)^MHA +f16 +2.50 MiB +320.0 GiB +0 ")
        .containsPattern("(?m)^MQA +f16 +40.0 KiB +5.00 GiB +16 ");
  }

  @Test
  void json_withUsersAndWeights_hasBytes() throws IOException {
    Outcome outcome =
        Shell.run(
            "plan",
            config(),
            "--memory",
            "80GiB",
            "--users",
            "2",
            "--kv-format",
            "int4+s0",
            "--weights",
            "q4_k",
            "--json");

    Json plan = Json.parse(outcome.out());
    assertThat(plan.get("context").asLong()).isEqualTo(131_072);
    assertThat(plan.get("users").asInt()).isEqualTo(2);
    assertThat(plan.get("weights").asList().getFirst().get("format").asString()).isEqualTo("q4_k");
    assertThat(plan.get("cache").asList()).hasSize(2);
    Json int4 = plan.get("cache").asList().get(1);
    assertThat(int4.get("bytes_per_user").asLong()).isEqualTo(92_160L * 131_072);
    assertThat(int4.get("users_beside_weights").asInt()).isEqualTo(3);
  }

  @Test
  void defaultModel_needsNoArguments() {
    Outcome outcome = Shell.run("plan");

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out())
        .contains("llama: 8 layers")
        .contains("as stored")
        .containsPattern("(?m)^GQA 2 \\(this model\\) +f16 +4.00 KiB +16.0 MiB$");
  }

  @Test
  void wrongValues_areUsageErrorsThatNameThem() throws IOException {
    String config = config();
    for (String[] option :
        new String[][] {
          {"--memory", "much"},
          {"--context", "long"},
          {"--context", "9999999m"},
          {"--kv-format", "int3"},
          {"--weights", "q9"},
          {"--users", "0"}
        }) {
      Outcome outcome = Shell.run("plan", config, option[0], option[1]);
      assertThat(outcome.exitCode()).as(option[0] + " " + option[1]).isEqualTo(2);
      assertThat(outcome.err().lines()).hasSize(1);
      assertThat(outcome.out()).isEmpty();
    }
  }

  @Test
  void brokenConfig_isOneSentence() throws IOException {
    Path file = Files.writeString(folder.resolve("c.json"), "{\"hidden_size\":64}");
    Outcome outcome = Shell.run("plan", file.toString());
    assertThat(outcome.exitCode()).isEqualTo(1);
    assertThat(outcome.err()).contains("config.json has no num_hidden_layers");
  }
}
