package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTokenizerTest {
  private static final String FILE =
      """
      {"added_tokens":[
         {"id":3,"content":"<s>","special":true},{"id":4,"content":"</s>","special":true},
         {"id":5,"content":"<turn>","special":true}],
       "model":{"type":"BPE","unk_token":"<unk>","vocab":{"<unk>":0,"a":1,"b":2},"merges":[]}}
      """;

  private static Tokenizer read(String config) {
    return Tokenizer.fromJson(Json.parse(FILE), Json.parse(config));
  }

  @Test
  void specialTokens_stringsAndObjects_areBothRead() {
    Tokenizer tokenizer =
        read(
            """
            {"bos_token":"<s>","eos_token":{"content":"</s>","special":true},"pad_token":null,
             "additional_special_tokens":["<turn>"]}
            """);
    assertThat(tokenizer.bosId()).hasValue(3);
    assertThat(tokenizer.eosId()).hasValue(4);
    assertThat(tokenizer.unkId()).hasValue(0);
    assertThat(tokenizer.padId()).isEmpty();
    assertThat(tokenizer.specialTokens())
        .containsExactlyInAnyOrderEntriesOf(Map.of("bos_token", "<s>", "eos_token", "</s>"));
    assertThat(tokenizer.endOfGenerationIds()).containsExactly(4);
    assertThat(tokenizer.vocabularySize()).isEqualTo(6);
  }

  @Test
  void encodeWithSpecials_flagsOfTheConfig_decideForLlamaAndFillInElsewhere() {
    String tokens = "\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"";
    assertThat(read("{" + tokens + "}").encodeWithSpecials("a")).containsExactly(1);
    assertThat(read("{" + tokens + ",\"add_bos_token\":true}").encodeWithSpecials("a"))
        .containsExactly(3, 1);
    assertThat(
            read("{" + tokens + ",\"add_bos_token\":true,\"add_eos_token\":true}")
                .encodeWithSpecials("a"))
        .containsExactly(3, 1, 4);
    Map<String, Json> framed = new LinkedHashMap<>(Json.parse(FILE).asMap());
    framed.put(
        "post_processor",
        Json.parse("{\"type\":\"BertProcessing\",\"cls\":[\"<s>\",3],\"sep\":[\"</s>\",4]}"));
    Json config = Json.parse("{\"tokenizer_class\":\"GemmaTokenizer\",\"add_eos_token\":false}");
    assertThat(Tokenizer.fromJson(new Json.Obj(framed), config).encodeWithSpecials("a"))
        .containsExactly(3, 1);
    Json other = Json.parse("{\"tokenizer_class\":\"Other\",\"add_eos_token\":false}");
    assertThat(Tokenizer.fromJson(new Json.Obj(framed), other).encodeWithSpecials("a"))
        .containsExactly(3, 1, 4);
  }

  @Test
  void chatTemplates_listOfNamed_isRead() {
    Tokenizer tokenizer =
        read(
            """
            {"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]}
            """);
    assertThat(tokenizer.chatTemplate()).isEqualTo("D");
    assertThat(tokenizer.chatTemplates()).containsEntry("tool_use", "T").hasSize(2);
    assertThat(read("{}").chatTemplate()).isNull();
  }

  @Test
  void fromFolder_allFiles_areRead(@TempDir Path folder) throws IOException {
    assertThatThrownBy(() -> Tokenizer.fromFolder(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("no tokenizer.json");
    Files.writeString(folder.resolve("tokenizer.json"), FILE);
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"eos_token\":\"</s>\",\"chat_template\":\"old\"}");
    Files.writeString(
        folder.resolve("special_tokens_map.json"),
        "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"<turn>\"}");
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\":[4,5]}");
    Tokenizer tokenizer = Tokenizer.fromFolder(folder);
    assertThat(tokenizer.bosId()).hasValue(3);
    assertThat(tokenizer.eosId()).hasValue(4);
    assertThat(tokenizer.endOfGenerationIds()).containsExactly(4, 5);
    assertThat(tokenizer.chatTemplate()).isEqualTo("old");
    Files.writeString(folder.resolve("chat_template.jinja"), "new");
    Path more = Files.createDirectory(folder.resolve("additional_chat_templates"));
    Files.writeString(more.resolve("rag.jinja"), "R");
    assertThat(Tokenizer.fromFolder(folder).chatTemplates())
        .containsOnly(Map.entry("default", "new"), Map.entry("rag", "R"));
    Files.writeString(folder.resolve("tokenizer.json"), "{\"model\":");
    assertThatThrownBy(() -> Tokenizer.fromFolder(folder))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("tokenizer.json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "[]",
        "{\"model\":{\"type\":\"Magic\",\"vocab\":{}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"aa\"]}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}",
        "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"b\"]]}}",
        "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}",
        "{\"normalizer\":{\"type\":\"Magic\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
        "{\"pre_tokenizer\":{\"type\":\"Magic\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
        "{\"decoder\":{\"type\":\"Magic\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
        "{\"post_processor\":{\"type\":\"Magic\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},"
            + "\"behavior\":\"Isolated\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
      })
  void fromJson_whatCannotBeUsed_isRefusedInOneSentence(String file) {
    assertThatThrownBy(() -> Tokenizer.fromJson(Json.parse(file), null))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageNotContaining("\n");
  }

  @Test
  void fromJson_changedAtRandom_worksOrSaysWhyNot() {
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    List<Json> seeds = new ArrayList<>();
    seeds.add(Json.parse(FILE));
    seeds.add(
        OracleFiles.file(
            OracleFiles.wordPiece(),
            new OracleFiles.Stages(
                "{\"type\":\"BertNormalizer\"}",
                "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},"
                    + OracleFiles.split("a|b", "Isolated", false)
                    + "]}",
                "{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",2],\"sep\":[\"[SEP]\",3]}",
                OracleFiles.LLAMA_DECODER,
                null)));
    for (int round = 0; round < 3000; round++) {
      Json changed = changed(seeds.get(round % seeds.size()), random, 0);
      try {
        Tokenizer tokenizer = Tokenizer.fromJson(changed, null);
        tokenizer.decode(tokenizer.encodeWithSpecials(TestTexts.random(random, 10), true));
      } catch (ModelFormatException e) {
        assertThat(e.getMessage()).isNotBlank();
      }
    }
  }

  /// The value with one or a few things in it replaced by something else.
  private static Json changed(Json json, SplittableRandom random, int depth) {
    if (random.nextInt(40) == 0) {
      return switch (random.nextInt(7)) {
        case 0 -> Json.Null.NULL;
        case 1 -> new Json.Bool(random.nextBoolean());
        case 2 -> new Json.Int(random.nextInt(-3, 40));
        case 3 -> new Json.Real(random.nextDouble());
        case 4 -> new Json.Str(random.nextBoolean() ? "" : "Sequence");
        case 5 -> new Json.Arr(List.of(json));
        default -> new Json.Obj(Map.of("type", json));
      };
    }
    if (json instanceof Json.Arr(List<Json> items)) {
      List<Json> out = new ArrayList<>();
      items.forEach(item -> out.add(changed(item, random, depth + 1)));
      return new Json.Arr(out);
    }
    if (json instanceof Json.Obj(Map<String, Json> fields)) {
      Map<String, Json> out = new LinkedHashMap<>();
      fields.forEach((key, value) -> out.put(key, changed(value, random, depth + 1)));
      return new Json.Obj(out);
    }
    return json;
  }
}
