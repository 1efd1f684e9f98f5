package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.kvasir.model.json.Json;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Compares with Hugging Face's own library on files of every kind and random texts.
class HuggingFaceOracleTest {
  private static final int ROUNDS = 120;
  private static final String BYTES = OracleFiles.ALPHABET;
  private static final String GPT4O =
      "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
          + "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+";

  @BeforeAll
  static void useTheLibraryOffline() {
    System.setProperty("RUST_FLAVOR", "cpu");
    System.setProperty("ai.djl.offline", "true");
  }

  private final Map<String, Json> files = new TreeMap<>();

  @TestFactory
  List<DynamicTest> encodeAndDecode_constructedFiles_equalTheLibrary() throws IOException {
    files.put("default model", OracleFiles.defaultFile());
    addPreTokenizers();
    addGgufPatterns();
    addNormalizers();
    addProcessorsAndAddedTokens();
    addSentencePieceModels();
    addOtherModels();
    List<DynamicTest> tests = new ArrayList<>();
    files.forEach((name, file) -> tests.add(DynamicTest.dynamicTest(name, () -> compare(file))));
    return tests;
  }

  private void addByteLevel(String name, OracleFiles.Stages stages) throws IOException {
    files.put(name, OracleFiles.file(OracleFiles.byteLevelModel(Map.of()), stages));
  }

  private void addPreTokenizers() throws IOException {
    Map<String, String> pre = new TreeMap<>();
    for (boolean prefix : new boolean[] {false, true}) {
      for (boolean regex : new boolean[] {false, true}) {
        pre.put(
            "bytes " + prefix + regex,
            "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,\"use_regex\":%s}"
                .formatted(prefix, regex));
      }
    }
    for (String behavior :
        List.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")) {
      for (boolean invert : new boolean[] {false, true}) {
        pre.put(
            "split " + behavior + invert,
            OracleFiles.sequence(OracleFiles.split("\\s|\\p{P}", behavior, invert), BYTES));
        pre.put(
            "split gpt4o " + behavior + invert,
            OracleFiles.sequence(OracleFiles.split(GPT4O, behavior, invert), BYTES));
      }
      pre.put(
          "punctuation " + behavior,
          OracleFiles.sequence(
              "{\"type\":\"Punctuation\",\"behavior\":\"" + behavior + "\"}", BYTES));
    }
    for (boolean individual : new boolean[] {false, true}) {
      pre.put(
          "digits " + individual,
          OracleFiles.sequence(
              "{\"type\":\"Digits\",\"individual_digits\":" + individual + "}", BYTES));
    }
    pre.put("whitespace", OracleFiles.sequence("{\"type\":\"Whitespace\"}", BYTES));
    pre.put("whitespace split", OracleFiles.sequence("{\"type\":\"WhitespaceSplit\"}", BYTES));
    pre.put("bert", OracleFiles.sequence("{\"type\":\"BertPreTokenizer\"}", BYTES));
    pre.put(
        "delimiter",
        OracleFiles.sequence("{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"e\"}", BYTES));
    pre.put(
        "literal split",
        OracleFiles.sequence(
            "{\"type\":\"Split\",\"pattern\":{\"String\":\".\"},\"behavior\":\"Removed\","
                + "\"invert\":false}",
            BYTES));
    for (Map.Entry<String, String> entry : pre.entrySet()) {
      addByteLevel("pre " + entry.getKey(), OracleFiles.Stages.pre(entry.getValue()));
    }
  }

  private void addGgufPatterns() throws IOException {
    for (String name : GgufPattern.names()) {
      GgufPattern pattern = GgufPattern.named(name);
      if (pattern == null || !pattern.byteLevel()) {
        continue;
      }
      List<String> stages = new ArrayList<>();
      pattern.patterns().forEach(p -> stages.add(OracleFiles.split(p, "Isolated", false)));
      stages.add(BYTES);
      addByteLevel(
          "gguf " + name,
          OracleFiles.Stages.pre(OracleFiles.sequence(stages.toArray(String[]::new))));
    }
  }

  private void addNormalizers() throws IOException {
    Map<String, String> normalizers = new TreeMap<>();
    for (String type : List.of("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")) {
      normalizers.put(type, "{\"type\":\"" + type + "\"}");
    }
    normalizers.put("strip", "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}");
    normalizers.put("strip both", "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}");
    normalizers.put("prepend", "{\"type\":\"Prepend\",\"prepend\":\"_x\"}");
    normalizers.put(
        "replace",
        "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s{2,}\"},\"content\":\" \"}");
    normalizers.put(
        "sequence",
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},"
            + "{\"type\":\"Lowercase\"}]}");
    for (String flags :
        List.of("true,true", "true,false", "null,true", "false,true", "null,false")) {
      String[] parts = flags.split(",", -1);
      normalizers.put(
          "bert " + flags,
          "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
              + "\"strip_accents\":"
              + parts[0]
              + ",\"lowercase\":"
              + parts[1]
              + "}");
    }
    for (Map.Entry<String, String> entry : normalizers.entrySet()) {
      addByteLevel("normal " + entry.getKey(), OracleFiles.Stages.normal(entry.getValue()));
    }
  }

  private void addProcessorsAndAddedTokens() throws IOException {
    String template =
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<|im_start|>\","
            + "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":"
            + "{\"id\":\"<|im_end|>\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
            + "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<|im_start|>\":{\"id\":"
            + "\"<|im_start|>\",\"ids\":[1],\"tokens\":[\"<|im_start|>\"]},\"<|im_end|>\":{\"id\":"
            + "\"<|im_end|>\",\"ids\":[2],\"tokens\":[\"<|im_end|>\"]}}}";
    String roberta =
        "{\"type\":\"RobertaProcessing\",\"sep\":[\"<|im_end|>\",2],\"cls\":[\"<|im_start|>\",1],"
            + "\"trim_offsets\":true,\"add_prefix_space\":false}";
    String bert =
        "{\"type\":\"BertProcessing\",\"sep\":[\"<|im_end|>\",2],\"cls\":[\"<|im_start|>\",1]}";
    String sequence = "{\"type\":\"Sequence\",\"processors\":[" + BYTES + "," + template + "]}";
    for (String processor : List.of(template, roberta, bert, sequence)) {
      addByteLevel(
          "processor " + processor.substring(9, 20),
          new OracleFiles.Stages(null, BYTES, processor, BYTES, null));
    }
    String[][] tokens = {
      {"<|im_end|>", "special", "rstrip"},
      {"the"},
      {"once", "single_word"},
      {"<", "lstrip"},
      {"==", "lstrip", "rstrip", "normalized"},
      {"HELLO", "normalized"},
      {"  "},
      {"    "},
      {"camelCase", "special", "single_word", "lstrip"}
    };
    Json vocabulary = OracleFiles.byteLevelModel(Map.of()).get("vocab");
    List<String> entries = new ArrayList<>();
    int next = OracleFiles.SMALL;
    for (String[] token : tokens) {
      // What the vocabulary has keeps its id, the rest is numbered on.
      int id = vocabulary.has(token[0]) ? vocabulary.get(token[0]).asInt() : next++;
      entries.add(added(id, token[0], Arrays.copyOfRange(token, 1, token.length)));
    }
    String added = "[" + String.join(",", entries) + "]";
    addByteLevel(
        "added tokens",
        new OracleFiles.Stages("{\"type\":\"Lowercase\"}", BYTES, null, BYTES, added));
  }

  private static String added(int id, String content, String... flags) {
    List<String> set = List.of(flags);
    StringBuilder out = new StringBuilder("{\"id\":" + id + ",\"content\":\"" + content + "\"");
    for (String flag : List.of("single_word", "lstrip", "rstrip", "normalized", "special")) {
      out.append(",\"").append(flag).append("\":").append(set.contains(flag));
    }
    return out.append("}").toString();
  }

  private void addSentencePieceModels() {
    String special = "[" + added(1, "<s>", "special") + "," + added(2, "</s>", "special") + "]";
    files.put(
        "llama",
        OracleFiles.file(
            OracleFiles.mergesOfSentencePiece(Map.of()),
            new OracleFiles.Stages(
                OracleFiles.LLAMA_NORMALIZER, null, null, OracleFiles.LLAMA_DECODER, special)));
    for (boolean fuse : new boolean[] {true, false}) {
      files.put(
          "llama without bytes, fuse " + fuse,
          OracleFiles.file(
              OracleFiles.mergesOfSentencePiece(
                  Map.of("byte_fallback", new Json.Bool(false), "fuse_unk", new Json.Bool(fuse))),
              new OracleFiles.Stages(
                  OracleFiles.LLAMA_NORMALIZER, null, null, OracleFiles.LLAMA_DECODER, special)));
    }
    for (String scheme : List.of("always", "first", "never")) {
      for (boolean split : new boolean[] {true, false}) {
        String metaspace =
            "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"%s\",\"split\":%s}"
                .formatted(scheme, split);
        OracleFiles.Stages stages =
            new OracleFiles.Stages(null, metaspace, null, metaspace, special);
        String name = scheme + " " + split;
        files.put(
            "metaspace merges " + name,
            OracleFiles.file(OracleFiles.mergesOfSentencePiece(Map.of()), stages));
        files.put(
            "metaspace unigram " + name, OracleFiles.file(OracleFiles.unigram(split), stages));
      }
    }
    String t5 =
        OracleFiles.sequence(
            "{\"type\":\"WhitespaceSplit\"}",
            "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\"}");
    files.put(
        "t5",
        OracleFiles.file(
            OracleFiles.unigram(false),
            new OracleFiles.Stages(
                "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\","
                    + "\"precompiled_charsmap\":\""
                    + CharacterMapTest.base64()
                    + "\"},{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
                    + "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"▁\"}]}",
                t5,
                null,
                "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\"}",
                special)));
  }

  private void addOtherModels() throws IOException {
    files.put(
        "whole words first",
        OracleFiles.file(
            OracleFiles.byteLevelModel(Map.of("ignore_merges", new Json.Bool(true))),
            OracleFiles.Stages.pre(BYTES)));
    String words = "{\"type\":\"BertPreTokenizer\"}";
    String bert =
        "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
            + "\"strip_accents\":null,\"lowercase\":true}";
    for (boolean cleanup : new boolean[] {true, false}) {
      files.put(
          "word piece " + cleanup,
          OracleFiles.file(
              OracleFiles.wordPiece(),
              new OracleFiles.Stages(
                  bert,
                  words,
                  null,
                  "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":" + cleanup + "}",
                  "[" + added(2, "[CLS]", "special") + "," + added(3, "[SEP]", "special") + "]")));
    }
    String spaces = "{\"type\":\"WhitespaceSplit\"}";
    for (boolean fuse : new boolean[] {true, false}) {
      files.put(
          "suffix " + fuse,
          OracleFiles.file(
              OracleFiles.markedSymbols("", "</w>", fuse),
              new OracleFiles.Stages(
                  null, spaces, null, "{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}", null)));
      files.put(
          "prefix " + fuse,
          OracleFiles.file(
              OracleFiles.markedSymbols("##", "", fuse),
              new OracleFiles.Stages(null, spaces, null, null, null)));
      files.put(
          "prefix and suffix " + fuse,
          OracleFiles.file(
              OracleFiles.markedSymbols("@", "$", fuse),
              new OracleFiles.Stages(null, spaces, null, null, null)));
    }
  }

  private static void compare(Json file) throws IOException {
    byte[] bytes = file.toText().getBytes(StandardCharsets.UTF_8);
    Tokenizer ours = Tokenizer.fromJson(file, null);
    try (HuggingFaceTokenizer peer =
        HuggingFaceTokenizer.newInstance(
            new ByteArrayInputStream(bytes), Map.of("truncation", "false", "padding", "false"))) {
      SplittableRandom random = new SplittableRandom(TestTexts.SEED);
      for (int round = 0; round < ROUNDS; round++) {
        String text = TestTexts.random(random, 1 + round / 5);
        long[] expected = peer.encode(text, false, false).getIds();
        assertThat(longs(ours.encode(text, true)))
            .as("seed %d round %d <%s>", TestTexts.SEED, round, text)
            .isEqualTo(expected);
        assertThat(longs(ours.encodeWithSpecials(text, true)))
            .isEqualTo(peer.encode(text, true, false).getIds());
        assertThat(ours.decode(ours.encode(text, true), false))
            .as("decode, round %d <%s>", round, text)
            .isEqualTo(peer.decode(expected, false));
      }
      for (int round = 0; round < ROUNDS && isByteLevel(file); round++) {
        // Single bytes in any order, mostly no UTF-8.
        int[] ids = new int[random.nextInt(10)];
        Arrays.setAll(ids, i -> 3 + random.nextInt(400));
        assertThat(ours.decode(ids, true))
            .as("seed %d round %d %s", TestTexts.SEED, round, Arrays.toString(ids))
            .isEqualTo(peer.decode(longs(ids), true));
      }
    }
  }

  private static boolean isByteLevel(Json file) {
    return file.get("decoder").get("type").equals(new Json.Str("ByteLevel"));
  }

  private static long[] longs(int[] ids) {
    return Arrays.stream(ids).asLongStream().toArray();
  }
}
