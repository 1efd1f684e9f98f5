package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.file.GgufFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Public vocabularies with texts and the ids that the models' own tokenizers give.
class ReferenceVocabularyTest {

  @TestFactory
  List<DynamicTest> encode_referenceTexts_givesTheReferenceIds() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    Path folder = TestTexts.require("reference/tokenizers");
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.gguf")) {
      for (Path file : files) {
        tests.add(DynamicTest.dynamicTest(file.getFileName().toString(), () -> check(file)));
      }
    }
    assertThat(tests).isNotEmpty();
    return tests;
  }

  private static void check(Path file) throws IOException {
    Tokenizer tokenizer = read(file);
    // The separator also stands behind the last text.
    List<String> texts =
        List.of(Files.readString(Path.of(file + ".inp")).split("\n__ggml_vocab_test__\n", -1));
    List<String> expected = Files.readString(Path.of(file + ".out")).lines().toList();
    assertThat(texts).hasSize(expected.size() + 1);
    for (int i = 0; i < expected.size(); i++) {
      String text = texts.get(i);
      int[] ids =
          Arrays.stream(expected.get(i).strip().split(" +"))
              .filter(id -> !id.isEmpty())
              .mapToInt(Integer::parseInt)
              .toArray();
      assertThat(tokenizer.encode(text)).as("text %d: <%s>", i, text).isEqualTo(ids);
      assertThat(tokenizer.decode(ids)).as("ids of text %d", i).isEqualTo(text);
    }
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    for (int round = 0; round < 300; round++) {
      String text = TestTexts.random(random, 20);
      if (file.toString().contains("llama-spm")) {
        // SentencePiece writes spaces as this character, so it cannot come back as itself.
        text = text.replace('▁', ' ');
      }
      String back = tokenizer.decode(tokenizer.encode(text));
      assertThat(back).as("seed %d round %d", TestTexts.SEED, round).isEqualTo(text);
    }
  }

  static Tokenizer read(Path file) {
    try (GgufFile gguf = GgufFile.open(file)) {
      return Tokenizer.fromGguf(gguf.metadata().forTokenizer());
    }
  }
}
