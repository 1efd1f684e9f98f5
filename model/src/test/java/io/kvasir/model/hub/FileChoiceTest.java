package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileChoiceTest {

  private static List<RemoteFile> files(String... paths) {
    List<RemoteFile> files = new ArrayList<>();
    for (String path : paths) {
      files.add(new RemoteFile(path, 10, "a".repeat(40)));
    }
    return files;
  }

  private static List<String> choose(String name, String... paths) throws HubException {
    return FileChoice.select(files(paths), ModelName.parse(name)).files().stream()
        .map(RemoteFile::path)
        .toList();
  }

  @ParameterizedTest
  @CsvSource({
    "Llama-3.2-1B-Instruct-Q4_K_M.gguf, Q4_K_M, 1",
    "tinyllama-1.1b-chat-v1.0.Q5_K_S.gguf, Q5_K_S, 1",
    "qwen2.5-7b-instruct-q4_k_m-00002-of-00002.gguf, Q4_K_M, 2",
    "UD-Q4_K_XL/DeepSeek-V3-UD-Q4_K_XL-00001-of-00009.gguf, UD-Q4_K_XL, 9",
    "BF16/model-00001-of-00003.gguf, BF16, 3",
    "Phi-3-mini-4k-instruct-q4.gguf, Q4, 1",
    "Phi-3-mini-4k-instruct-fp16.gguf, F16, 1",
    "gpt-oss-20b-mxfp4.gguf, MXFP4, 1",
    "a-IQ2_XXS.gguf, IQ2_XXS, 1",
    "a-Q4_0_4_8.gguf, Q4_0_4_8, 1",
    "a-TQ1_0.gguf, TQ1_0, 1",
    "model.gguf, '', 1",
    "Qwen3-8B.gguf, '', 1",
    "ggml-model-i2_s.gguf, '', 1",
    "m-Q8_0-imat.gguf, Q8_0, 1",
  })
  void ggufName_asFoundOnHubs_givesQuantAndParts(String path, String quant, int parts) {
    GgufName name = GgufName.of(path);
    assertThat(name.quant()).isEqualTo(quant);
    assertThat(name.parts()).isEqualTo(parts);
  }

  @Test
  void select_noQuant_followsThePreference() throws HubException {
    assertThat(
            choose("o/r", "a-Q8_0.gguf", "a-Q4_K_S.gguf", "a-Q5_K_M.gguf", "mmproj-a-Q4_K_M.gguf"))
        .containsExactly("a-Q4_K_S.gguf");
    assertThat(choose("o/r", "a-Q8_0.gguf", "a-Q4_K_S.gguf", "a-Q4_K_M.gguf"))
        .containsExactly("a-Q4_K_M.gguf");
    assertThat(choose("o/r", "a-F16.gguf", "a-Q8_0.gguf")).containsExactly("a-Q8_0.gguf");
    assertThat(choose("o/r", "a.gguf")).containsExactly("a.gguf");
    assertThat(choose("o/r", "a-IQ1_S.gguf")).containsExactly("a-IQ1_S.gguf");
  }

  @Test
  void select_quantWithoutPrefix_findsTheDynamicOne() throws HubException {
    assertThat(choose("o/r:Q4_K_XL", "a-UD-Q4_K_XL.gguf", "a-UD-Q2_K_XL.gguf"))
        .containsExactly("a-UD-Q4_K_XL.gguf");
    assertThat(choose("o/r:fp16", "a-f16.gguf", "a-q8_0.gguf")).containsExactly("a-f16.gguf");
  }

  @Test
  void select_onlyUnrankedQuants_asksWhich() {
    PullFailureTest.assertFails(() -> choose("o/r", "a-IQ1_S.gguf", "a-IQ1_M.gguf"))
        .hasMessageContaining("o/r:QUANT; it has IQ1_M, IQ1_S");
  }

  @Test
  void select_twoModelsOfOneQuant_asksForTheFile() {
    PullFailureTest.assertFails(() -> choose("o/r:Q8_0", "a-Q8_0.gguf", "b-Q8_0.gguf"))
        .hasMessageContaining("o/r:FILE with one of a-Q8_0.gguf, b-Q8_0.gguf");
  }

  @Test
  void select_missingPart_isIncomplete() {
    PullFailureTest.assertFails(
            () -> choose("o/r:Q8_0", "a-Q8_0-00001-of-00003.gguf", "a-Q8_0-00003-of-00003.gguf"))
        .hasMessageContaining("2 of 3 parts");
  }

  @Test
  void select_fileOfSplitModel_bringsAllParts() throws HubException {
    assertThat(
            choose(
                "o/r:a-Q8_0-00001-of-00002.gguf",
                "a-Q8_0-00002-of-00002.gguf",
                "a-Q8_0-00001-of-00002.gguf",
                "a-Q4_0.gguf"))
        .containsExactly("a-Q8_0-00001-of-00002.gguf", "a-Q8_0-00002-of-00002.gguf");
  }

  @Test
  void select_safetensors_leavesDuplicatesOut() throws HubException {
    assertThat(
            choose(
                "o/r",
                "model-00002-of-00002.safetensors",
                "model-00001-of-00002.safetensors",
                "model.safetensors.index.json",
                "consolidated.safetensors",
                "original/consolidated.00.pth",
                "pytorch_model.bin",
                "onnx/model.onnx",
                "sub/model.safetensors",
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "generation_config.json",
                "additional_chat_templates/tool_use.jinja",
                "LICENSE",
                "extra-Q4_K_M.gguf"))
        .containsExactly(
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
            "additional_chat_templates/tool_use.jinja",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors");
  }

  @Test
  void select_singleSafetensors_ignoresVariants() throws HubException {
    assertThat(choose("o/r", "config.json", "model.fp16.safetensors", "model.safetensors"))
        .containsExactly("config.json", "model.safetensors");
  }

  @Test
  void select_quantOfMixedRepo_takesTheGguf() throws HubException {
    assertThat(choose("o/r:q8_0", "config.json", "model.safetensors", "a-Q8_0.gguf"))
        .containsExactly("a-Q8_0.gguf");
  }

  @Test
  void select_onlyForeignWeights_saysWhich() {
    PullFailureTest.assertFails(() -> choose("o/r", "config.json", "pytorch_model.bin"))
        .hasMessageContaining("only others such as pytorch_model.bin");
    PullFailureTest.assertFails(() -> choose("o/r:Q8_0", "config.json", "model.safetensors"))
        .hasMessageContaining("write it without ':Q8_0'");
    PullFailureTest.assertFails(() -> choose("o/r", "README.md"))
        .hasMessageContaining("no safetensors or GGUF weights among its 1 files");
  }
}
