package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// The tokenizer of the model that ships with the project, read in both formats.
class DefaultModelTokenizerTest {
  private static Tokenizer fromFolder() {
    return Tokenizer.fromFolder(TestTexts.require("models/kvasir-stories"));
  }

  private static Tokenizer fromGguf() {
    Path file = TestTexts.require("models/kvasir-stories/kvasir-stories-27m-Q8_0.gguf");
    return ReferenceVocabularyTest.read(file);
  }

  @Test
  void encode_randomTexts_sameIdsFromBothFormats() {
    Tokenizer folder = fromFolder();
    Tokenizer gguf = fromGguf();
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    for (int round = 0; round < 2000; round++) {
      // The GGUF format has no place for the normalizer, NFC.
      String text =
          java.text.Normalizer.normalize(
              TestTexts.random(random, 30), java.text.Normalizer.Form.NFC);
      int[] ids = folder.encode(text);
      assertThat(gguf.encode(text))
          .as("seed %d round %d <%s>", TestTexts.SEED, round, text)
          .isEqualTo(ids);
      assertThat(folder.decode(ids)).isEqualTo(text);
      assertThat(gguf.decode(ids)).isEqualTo(text);
    }
  }

  @Test
  void specialTokens_bothFormats_areThoseOfTheModel() {
    for (Tokenizer tokenizer : new Tokenizer[] {fromFolder(), fromGguf()}) {
      assertThat(tokenizer.vocabularySize()).isEqualTo(8192);
      assertThat(tokenizer.eosId()).hasValue(2);
      assertThat(tokenizer.padId()).hasValue(0);
      assertThat(tokenizer.endOfGenerationIds()).containsExactly(0, 2);
      assertThat(tokenizer.isSpecial(1)).isTrue();
      assertThat(tokenizer.isSpecial(100)).isFalse();
      assertThat(tokenizer.specialTokens()).containsEntry("eos_token", "<|im_end|>");
      assertThat(tokenizer.chatTemplate()).contains("<|im_start|>");
      assertThat(tokenizer.encodeWithSpecials("fox")).isEqualTo(tokenizer.encode("fox"));
    }
  }

  @Test
  void encode_specialTokenInText_isATokenOnlyWhereAskedFor() {
    for (Tokenizer tokenizer : new Tokenizer[] {fromFolder(), fromGguf()}) {
      String text = "a<|im_end|>b";
      assertThat(tokenizer.encode(text, true)).contains(2).hasSize(3);
      assertThat(tokenizer.encode(text, false)).doesNotContain(2);
      assertThat(tokenizer.decode(tokenizer.encode(text, true))).isEqualTo(text);
      assertThat(tokenizer.decode(tokenizer.encode(text, true), true)).isEqualTo("ab");
      assertThat(tokenizer.decode(tokenizer.encode(text, false), true)).isEqualTo(text);
    }
  }
}
