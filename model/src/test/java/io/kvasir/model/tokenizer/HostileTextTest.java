package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;

/// A megabyte of one thing must not take quadratic time nor any stack. A quadratic step would need
/// hours here, so that the limits are far from both sides.
class HostileTextTest {
  private static final int SIZE = 1_000_000;
  private static final List<String> UNITS =
      List.of("a", " ", "\n", "1", "😀", "中", "'", "\u0301", "\u0316\u0301", "a ", "\r\n ", "<");

  private static Map<String, Tokenizer> tokenizers() throws IOException {
    Map<String, Tokenizer> tokenizers = new LinkedHashMap<>();
    tokenizers.put("default", Tokenizer.fromJson(OracleFiles.defaultFile(), null));
    Path folder = TestTexts.require("reference/tokenizers");
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.gguf")) {
      for (Path file : files) {
        tokenizers.put(file.getFileName().toString(), ReferenceVocabularyTest.read(file));
      }
    }
    String metaspace =
        "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\",\"split\":false}";
    tokenizers.put(
        "unigram",
        Tokenizer.fromJson(
            OracleFiles.file(
                OracleFiles.unigram(true),
                new OracleFiles.Stages("{\"type\":\"NFKC\"}", metaspace, null, metaspace, null)),
            null));
    tokenizers.put(
        "merges of SentencePiece",
        Tokenizer.fromJson(
            OracleFiles.file(
                OracleFiles.mergesOfSentencePiece(Map.of()),
                new OracleFiles.Stages(
                    OracleFiles.LLAMA_NORMALIZER, null, null, OracleFiles.LLAMA_DECODER, null)),
            null));
    Map<String, Json> longWords = new LinkedHashMap<>(OracleFiles.wordPiece().asMap());
    longWords.put("max_input_chars_per_word", new Json.Int(Integer.MAX_VALUE));
    tokenizers.put(
        "word piece",
        Tokenizer.fromJson(
            OracleFiles.file(
                new Json.Obj(longWords),
                new OracleFiles.Stages(
                    "{\"type\":\"BertNormalizer\"}",
                    "{\"type\":\"BertPreTokenizer\"}",
                    null,
                    null,
                    null)),
            null));
    return tokenizers;
  }

  @TestFactory
  List<DynamicTest> encode_megabyteOfOneThing_endsSoon() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    tokenizers()
        .forEach((name, tokenizer) ->
            tests.add(DynamicTest.dynamicTest(name, () -> encodeAll(name, tokenizer))));
    return tests;
  }

  private static void encodeAll(String name, Tokenizer tokenizer) {
    for (String unit : UNITS) {
      String text = unit.repeat(SIZE / unit.length()) + "x";
      long start = System.nanoTime();
      int[] ids = tokenizer.encode(text, true);
      assertThat(ids).isNotEmpty();
      assertThat(tokenizer.decode(ids)).isNotEmpty();
      assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start))
          .as("seconds for %s with %s", unit, name)
          .isLessThan(60);
    }
  }

  @Test
  @Timeout(value = 120, unit = TimeUnit.SECONDS)
  void canonicalForm_marksInTheWrongOrder_areSortedInTime() {
    for (java.text.Normalizer.Form form : java.text.Normalizer.Form.values()) {
      String short1 = "a" + "\u0301\u0316\u0334\u0345\u0344\u20dd\u0301".repeat(20);
      assertThat(CanonicalForm.of(short1, form))
          .isEqualTo(java.text.Normalizer.normalize(short1, form));
      String long1 = "a" + "\u0301\u0316\u0334\u0345".repeat(SIZE / 4) + "b\u0301";
      String sorted = CanonicalForm.of(long1, form);
      assertThat(java.text.Normalizer.isNormalized(sorted, form)).isTrue();
    }
  }
}
