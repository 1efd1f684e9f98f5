package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class DetokenizerTest {

  private static List<Tokenizer> tokenizers() throws IOException {
    return List.of(
        Tokenizer.fromJson(OracleFiles.defaultFile(), null),
        ReferenceVocabularyTest.read(
            TestTexts.require("reference/tokenizers/ggml-vocab-llama-spm.gguf")),
        Tokenizer.fromJson(
            OracleFiles.file(
                OracleFiles.wordPiece(),
                new OracleFiles.Stages(
                    null,
                    "{\"type\":\"BertPreTokenizer\"}",
                    null,
                    "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}",
                    null)),
            null),
        Tokenizer.fromJson(
            OracleFiles.file(
                OracleFiles.markedSymbols("", "</w>", false),
                new OracleFiles.Stages(
                    null,
                    "{\"type\":\"WhitespaceSplit\"}",
                    null,
                    "{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"}",
                    null)),
            null));
  }

  @Test
  void append_anyIds_joinedEqualsDecodeAndNeverBreaksACharacter() throws IOException {
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    for (Tokenizer tokenizer : tokenizers()) {
      for (int round = 0; round < 500; round++) {
        int[] ids = new int[random.nextInt(12)];
        for (int i = 0; i < ids.length; i++) {
          // Mostly single bytes and rare characters, where characters are cut; some ids do not
          // exist.
          int bound = random.nextInt(3) == 0 ? tokenizer.vocabularySize() + 5 : 270;
          ids[i] = random.nextInt(bound) - (random.nextInt(50) == 0 ? 3 : 0);
        }
        boolean skip = random.nextBoolean();
        Detokenizer stream = new Detokenizer(tokenizer, skip);
        StringBuilder joined = new StringBuilder();
        for (int id : ids) {
          String part = stream.append(id);
          assertThat(Utf8.wellFormed(part)).isSameAs(part);
          joined.append(part);
        }
        joined.append(stream.finish());
        assertThat(joined.toString())
            .as("seed %d round %d", TestTexts.SEED, round)
            .isEqualTo(tokenizer.decode(ids, skip));
      }
    }
  }

  @Test
  void append_randomBytes_equalsTheDecoderOfTheJdk() {
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    int[] interesting = {
      0x00, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC2, 0xE0, 0xA0, 0x9F, 0xED, 0xF0, 0x90, 0x8F, 0xF4,
      0xF5, 0xFF, 0xE2, 0x82, 0xAC
    };
    for (int round = 0; round < 20_000; round++) {
      byte[] bytes = new byte[random.nextInt(9)];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] =
            (byte)
                (random.nextInt(4) == 0
                    ? random.nextInt(256)
                    : interesting[random.nextInt(interesting.length)]);
      }
      for (int i = 0; i + 1 < bytes.length; i++) {
        // The JDK counts an encoded surrogate as one error, the rule of Unicode as one a byte.
        boolean surrogate = bytes[i] == (byte) 0xED && (bytes[i + 1] & 0xE0) == 0xA0;
        bytes[i] = surrogate ? (byte) 'x' : bytes[i];
      }
      Utf8.Decoder decoder = new Utf8.Decoder();
      StringBuilder out = new StringBuilder();
      for (byte b : bytes) {
        decoder.add(new byte[] {b}, out);
      }
      decoder.finish(out);
      assertThat(out.toString())
          .as("seed %d round %d %s", TestTexts.SEED, round, bytes)
          .isEqualTo(new String(bytes, StandardCharsets.UTF_8));
    }
  }

  @Test
  void append_characterOverSeveralTokens_comesOnceWhole() {
    Tokenizer tokenizer =
        ReferenceVocabularyTest.read(
            TestTexts.require("reference/tokenizers/ggml-vocab-llama-spm.gguf"));
    Detokenizer stream = new Detokenizer(tokenizer);
    List<String> parts = new ArrayList<>();
    for (byte b : "😀".getBytes(StandardCharsets.UTF_8)) {
      parts.add(stream.append(tokenizer.idOf(Vocabulary.byteToken(b & 255)).orElseThrow()));
    }
    assertThat(parts).containsExactly("", "", "", "😀");
    assertThat(stream.append(tokenizer.idOf("<0xF0>").orElseThrow())).isEmpty();
    assertThat(stream.append(tokenizer.idOf("▁a").orElseThrow())).isEqualTo("\uFFFD a");
    assertThat(stream.append(tokenizer.idOf("<0xE2>").orElseThrow())).isEmpty();
    assertThat(stream.finish()).isEqualTo("\uFFFD");
  }

  @Test
  void append_leadingSpaceOfSentencePiece_goesOnlyWhereTheTextBegins() {
    Tokenizer tokenizer =
        ReferenceVocabularyTest.read(
            TestTexts.require("reference/tokenizers/ggml-vocab-llama-spm.gguf"));
    int word = tokenizer.idOf("▁Hello").orElseThrow();
    Detokenizer begins = new Detokenizer(tokenizer);
    assertThat(begins.append(word) + begins.append(word)).isEqualTo("Hello Hello");
    assertThat(Detokenizer.continuing(tokenizer, false).append(word)).isEqualTo(" Hello");
    Detokenizer afterBos = new Detokenizer(tokenizer, true);
    assertThat(afterBos.append(1) + afterBos.append(word)).isEqualTo("Hello");
  }

  @Test
  void bytes_everyToken_isWhatItAddsWithinAText() throws IOException {
    Tokenizer tokenizer = Tokenizer.fromJson(OracleFiles.defaultFile(), null);
    assertThat(tokenizer.bytes(2)).isEqualTo("<|im_end|>".getBytes(StandardCharsets.UTF_8));
    assertThat(tokenizer.bytes(tokenizer.idOf("Ġa").orElseThrow())).containsExactly(' ', 'a');
    assertThat(tokenizer.bytes(-1)).isEmpty();
    assertThat(tokenizer.bytes(8192)).isEmpty();
    assertThat(tokenizer.piece(8192)).isEmpty();
    assertThat(OracleFiles.byteLevelModel(Map.of()).get("vocab").asMap())
        .hasSize(OracleFiles.SMALL);
  }
}
