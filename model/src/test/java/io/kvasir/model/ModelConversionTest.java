package io.kvasir.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.GgufWriter;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.file.Quantizer;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelConversionTest {
  private static final Path ROOT = Path.of(System.getProperty("kvasir.root", ".."));

  @TempDir Path folder;

  private static Path stories() {
    Path stories = ROOT.resolve("../shared/models/kvasir-stories");
    Assumptions.assumeTrue(
        Files.exists(stories.resolve("model.safetensors")),
        "[no-reference-data] ../shared/models/kvasir-stories is absent");
    return stories;
  }

  @Test
  void convert_defaultModelsFolder_equalsTheFileThatItsMakersConverted() throws IOException {
    Path out = folder.resolve("out.gguf");
    ModelConversion.convert(stories(), out, new Quantizer(TensorType.Q8_0, done -> {}));
    try (GgufFile made = GgufFile.open(out);
        GgufFile given = GgufFile.open(stories().resolve("kvasir-stories-27m-Q8_0.gguf"))) {
      assertThat(made.tensors()).hasSameSizeAs(given.tensors());
      for (Tensor tensor : given.tensors()) {
        assertThat(made.get(tensor.name())).isEqualTo(tensor);
      }
      GgufMetadata a = made.metadata();
      GgufMetadata b = given.metadata();
      for (String key : b.keys()) {
        if (b.find(key) instanceof GgufValue.Array) {
          continue;
        }
        boolean differs = key.equals("general.name") || key.endsWith("eot_token_id");
        if (!differs) {
          assertThat(a.find(key)).as(key).isEqualTo(b.find(key));
        }
      }
      for (String key : new String[] {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
        assertThat(a.strings(key)).isEqualTo(b.strings(key));
      }
      assertThat(a.ints("tokenizer.ggml.token_type"))
          .isEqualTo(b.ints("tokenizer.ggml.token_type"));
    }
  }

  @Test
  void convert_missingFolder_isRefused() {
    assertThatThrownBy(() ->
            ModelConversion.convert(
                folder, folder.resolve("x.gguf"), new Quantizer(TensorType.F16, done -> {})))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("no config.json");
  }

  /// A vocabulary in SentencePiece's way, with bytes to fall back to.
  private static String sentencePiece() {
    StringBuilder vocab = new StringBuilder("\"<unk>\":0,\"<s>\":1,\"</s>\":2");
    for (int i = 0; i < 256; i++) {
      vocab.append(",\"<0x%02X>\":%d".formatted(i, 3 + i));
    }
    String[] pieces = {"▁", "a", "b", "c", "ab", "▁a", "▁ab", "abc", "▁abc"};
    for (int i = 0; i < pieces.length; i++) {
      vocab.append(",\"%s\":%d".formatted(pieces[i], 259 + i));
    }
    return """
    {"added_tokens":[{"id":1,"content":"<s>","special":true}],
     "normalizer":{"type":"Sequence","normalizers":[
       {"type":"Prepend","prepend":"▁"},
       {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
     "decoder":{"type":"Sequence","decoders":[
       {"type":"Replace","pattern":{"String":"▁"},"content":" "},
       {"type":"ByteFallback"},{"type":"Fuse"}]},
     "model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>","fuse_unk":true,
       "vocab":{%s},
       "merges":["a b","▁ a","▁ ab","ab c","▁ab c"]}}\
    """
        .formatted(vocab);
  }

  @Test
  void vocabulary_ofSentencePieceKind_cutsAsTheFolderDoes() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), sentencePiece());
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_bos_token\":true}");
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    GgufVocabulary.write(folder, 270, metadata);

    Path out = folder.resolve("vocabulary.gguf");
    GgufWriter writer = new GgufWriter();
    metadata.forEach(writer::put);
    writer.write(out);
    Tokenizer ofFolder = Tokenizer.fromFolder(folder);
    try (GgufFile file = GgufFile.open(out)) {
      Tokenizer ofFile = Tokenizer.fromGguf(file.metadata().forTokenizer());
      for (String text : new String[] {"abc", "ab abc  c", "a é b", "cab\n<s>abc"}) {
        assertThat(ofFile.encode(text)).as(text).isEqualTo(ofFolder.encode(text));
        assertThat(ofFile.encodeWithSpecials(text)[0]).isEqualTo(1);
      }
    }
  }

  @Test
  void preTokenizer_withoutAName_isRefused() {
    Json tokenizer =
        Json.parse(
            """
            {"pre_tokenizer":{"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":"[xyz]+"}},
              {"type":"ByteLevel","use_regex":false}]}}\
            """);
    assertThatThrownBy(() -> GgufPreTokenizer.name(tokenizer, folder))
        .isInstanceOf(UnsupportedModelException.class)
        .hasMessageContaining("[xyz]+");
  }
}
