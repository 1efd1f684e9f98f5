package io.kvasir.model;

import io.kvasir.model.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// GGUF files do not hold how text is cut into words but a name for it. This finds the name of the
/// pre-tokenizer in a `tokenizer.json`, from what sets the known patterns apart.
final class GgufPreTokenizer {
  private GgufPreTokenizer() {}

  /// Whether tokens are spelled in the byte alphabet of GPT-2 rather than in SentencePiece's way.
  static boolean spellsBytes(Json tokenizer) {
    return stages(tokenizer.get("pre_tokenizer")).stream().anyMatch(s -> is(s, "ByteLevel"))
        || stages(tokenizer.get("decoder")).stream().anyMatch(s -> is(s, "ByteLevel"));
  }

  /// Whether a text gets a space before its first word.
  static boolean addsSpacePrefix(Json tokenizer, Json settings) {
    for (Json stage : stages(tokenizer.get("pre_tokenizer"))) {
      if (is(stage, "Metaspace")) {
        return !stage.textOr("prepend_scheme", "always").equals("never")
            && stage.booleanOr("add_prefix_space", true);
      }
    }
    for (Json stage : stages(tokenizer.get("normalizer"))) {
      if (is(stage, "Prepend")) {
        return true;
      }
    }
    return settings.booleanOr("add_prefix_space", false);
  }

  /// @throws UnsupportedModelException where GGUF knows no such pre-tokenizer
  static String name(Json tokenizer, Path folder) {
    List<Json> stages = stages(tokenizer.get("pre_tokenizer"));
    List<String> patterns = new ArrayList<>();
    boolean digits = false;
    boolean punctuation = false;
    boolean wordsOfGpt2 = false;
    for (Json stage : stages) {
      if (is(stage, "Split")) {
        patterns.add(
            stage.get("pattern").textOr("Regex", stage.get("pattern").textOr("String", "")));
      }
      digits |= is(stage, "Digits");
      punctuation |= is(stage, "Punctuation");
      wordsOfGpt2 |= is(stage, "ByteLevel") && stage.booleanOr("use_regex", true);
    }
    if (patterns.isEmpty() && wordsOfGpt2) {
      return digits ? "starcoder" : "gpt-2";
    }
    if (punctuation && wordsOfGpt2) {
      return "falcon";
    }
    boolean whole = tokenizer.get("model").booleanOr("ignore_merges", false);
    String name = named(String.join("\n", patterns), wordsOfGpt2, whole);
    if (name == null) {
      throw new UnsupportedModelException(
          "GGUF has no name for the way in which the tokenizer of '%s' cuts words: %s"
              .formatted(folder, patterns));
    }
    return name;
  }

  private static @Nullable String named(String patterns, boolean wordsOfGpt2, boolean whole) {
    boolean threeDigits = patterns.contains("\\p{N}{1,3}");
    boolean contractions = patterns.contains("'s|'t|'re");
    if (patterns.contains("\\p{Lu}")) {
      return patterns.contains("\\p{Han}") ? "kimi-k2" : contractions ? "gpt-4o" : "tekken";
    }
    if (threeDigits && patterns.contains("一-龥")) {
      return "deepseek-v3";
    }
    if (patterns.contains("\\s?[A-Za-z")) {
      return "deepseek-llm";
    }
    if (patterns.contains("\\s?\\p{L}+")) {
      return "deepseek-coder";
    }
    if (contractions && threeDigits) {
      return whole ? "llama-bpe" : "glm4";
    }
    if (contractions && patterns.contains("[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+")) {
      return "qwen35";
    }
    if (contractions && patterns.contains("[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|")) {
      return "qwen2";
    }
    if (wordsOfGpt2 && patterns.equals("\\p{N}")) {
      return "starcoder";
    }
    boolean gpt2 =
        patterns.equals(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
    return gpt2 ? "gpt-2" : null;
  }

  private static boolean is(Json stage, String type) {
    return stage.textOr("type", "").equals(type);
  }

  /// A stage and what it consists of.
  private static List<Json> stages(Json stage) {
    List<Json> all = new ArrayList<>();
    all.add(stage);
    for (String list : List.of("pretokenizers", "decoders", "normalizers")) {
      for (Json inner : stage.get(list).asList()) {
        all.addAll(stages(inner));
      }
    }
    return all;
  }
}
