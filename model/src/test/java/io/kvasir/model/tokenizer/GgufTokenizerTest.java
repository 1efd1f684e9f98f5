package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.file.ModelFormatException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Small vocabularies of every kind that GGUF knows, written down here.
class GgufTokenizerTest {
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER = 4;
  private static final int BYTE = 6;

  /// A vocabulary in the making.
  private static final class Words {
    final List<String> tokens = new ArrayList<>();
    final List<Integer> types = new ArrayList<>();
    final List<Float> scores = new ArrayList<>();

    Words add(String token, int type, double score) {
      tokens.add(token);
      types.add(type);
      scores.add((float) score);
      return this;
    }

    Words bytes() {
      for (int b = 0; b < 256; b++) {
        add(Vocabulary.byteToken(b), BYTE, 0);
      }
      return this;
    }

    Words alphabet() {
      for (int b = 0; b < 256; b++) {
        add(String.valueOf(ByteAlphabet.charOf(b)), NORMAL, 0);
      }
      return this;
    }

    Map<String, Object> metadata(String model) {
      Map<String, Object> metadata = new HashMap<>();
      metadata.put("tokenizer.ggml.model", model);
      metadata.put("tokenizer.ggml.tokens", tokens);
      metadata.put("tokenizer.ggml.token_type", types);
      metadata.put("tokenizer.ggml.scores", scores);
      return metadata;
    }

    int[] ids(String... wanted) {
      return Arrays.stream(wanted).mapToInt(tokens::indexOf).toArray();
    }
  }

  private static Words llama() {
    return new Words()
        .add("<unk>", UNKNOWN, 0)
        .add("<s>", CONTROL, 0)
        .add("</s>", CONTROL, 0)
        .bytes()
        .add("▁", NORMAL, -10)
        .add("h", NORMAL, -11)
        .add("i", NORMAL, -12)
        .add("hi", NORMAL, -2)
        .add("▁h", NORMAL, -1)
        .add("▁hi", NORMAL, -3)
        .add("<", NORMAL, -20)
        .add("/", NORMAL, -20)
        .add("s", NORMAL, -20)
        .add(">", NORMAL, -20)
        .add("</", NORMAL, -5)
        .add("s>", NORMAL, -5)
        .add("<tool>", USER, 0);
  }

  @Test
  void encode_sentencePiece_mergesByScoreAndFallsBackToBytes() {
    Words words = llama();
    Tokenizer tokenizer = Tokenizer.fromGguf(words.metadata("llama"));
    assertThat(tokenizer.encode("hi")).isEqualTo(words.ids("▁hi"));
    assertThat(tokenizer.encode("é")).isEqualTo(words.ids("▁", "<0xC3>", "<0xA9>"));
    assertThat(tokenizer.encode("")).isEmpty();
    assertThat(tokenizer.encodeWithSpecials("hi")).isEqualTo(words.ids("<s>", "▁hi"));
    assertThat(tokenizer.decode(words.ids("<s>", "▁hi"), true)).isEqualTo("hi");
    assertThat(tokenizer.bosId()).hasValue(1);
    assertThat(tokenizer.eosId()).hasValue(2);
    assertThat(tokenizer.unkId()).hasValue(0);
    assertThat(tokenizer.padId()).isEmpty();
    assertThat(tokenizer.endOfGenerationIds()).containsExactly(2);
  }

  @Test
  void encode_spelledOutControlToken_staysText() {
    Words words = llama();
    Tokenizer tokenizer = Tokenizer.fromGguf(words.metadata("llama"));
    assertThat(tokenizer.encode("</s>", false)).isEqualTo(words.ids("▁", "</", "s>"));
    assertThat(tokenizer.encode("</s>", true)).isEqualTo(words.ids("</s>"));
    assertThat(tokenizer.encode("hi<tool>hi", false)).isEqualTo(words.ids("▁hi", "<tool>", "▁hi"));
  }

  @Test
  void encode_withoutPrefixSpace_addsNone() {
    Words words = llama();
    Map<String, Object> metadata = words.metadata("llama");
    metadata.put("tokenizer.ggml.add_space_prefix", false);
    metadata.put("tokenizer.ggml.add_bos_token", false);
    metadata.put("tokenizer.ggml.add_eos_token", true);
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.encodeWithSpecials("hi hi")).isEqualTo(words.ids("hi", "▁hi", "</s>"));
    assertThat(tokenizer.decode(words.ids("▁hi"))).isEqualTo(" hi");
  }

  @Test
  void encode_phi3_specialTokensTakeTheSpaceBehindThem() {
    Words words = llama().add("<|user|>", CONTROL, 0);
    Map<String, Object> metadata = words.metadata("llama");
    assertThat(Tokenizer.fromGguf(metadata).encode("<|user|> hi", true)).hasSize(3);
    metadata.put("general.name", "Phi-3 mini");
    assertThat(Tokenizer.fromGguf(metadata).encode("<|user|>\n hi", true))
        .isEqualTo(words.ids("<|user|>", "▁hi"));
    assertThat(Tokenizer.fromGguf(metadata).encode("<s> hi", true)).hasSize(3);
  }

  @Test
  void encode_unigram_findsTheMostProbableCut() {
    Words words =
        new Words()
            .add("<pad>", CONTROL, 0)
            .add("</s>", CONTROL, 0)
            .add("<unk>", UNKNOWN, 0)
            .add("▁a", NORMAL, -1)
            .add("b", NORMAL, -2)
            .add("ab", NORMAL, -1.5)
            .add("▁", NORMAL, -3)
            .add("▁abb", NORMAL, -9);
    Map<String, Object> metadata = words.metadata("t5");
    metadata.put("tokenizer.ggml.add_space_prefix", true);
    metadata.put("tokenizer.ggml.remove_extra_whitespaces", true);
    byte[] map = CharacterMapTest.blob();
    List<Byte> boxed = new ArrayList<>();
    for (byte b : map) {
      boxed.add(b);
    }
    metadata.put("tokenizer.ggml.precompiled_charsmap", boxed);
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.encode("ab")).isEqualTo(words.ids("▁a", "b"));
    assertThat(tokenizer.encode("  ab\u00a0\u00a0 abb "))
        .isEqualTo(words.ids("▁a", "b", "▁a", "b", "b"));
    assertThat(tokenizer.encode("axyb")).isEqualTo(words.ids("▁a", "<unk>", "b"));
    assertThat(tokenizer.encodeWithSpecials("ab")).isEqualTo(words.ids("▁a", "b", "</s>"));
    assertThat(tokenizer.decode(tokenizer.encode("ab ab"))).isEqualTo("ab ab");
  }

  @Test
  void encode_wordPiece_takesLongestPartsOfLowercaseWords() {
    Words words = new Words();
    for (int id = 0; id < 100; id++) {
      words.add("[unused" + id + "]", CONTROL, 0);
    }
    words
        .add("[UNK]", UNKNOWN, 0)
        .add("[CLS]", CONTROL, 0)
        .add("[SEP]", CONTROL, 0)
        .add("▁he", NORMAL, 0)
        .add("llo", NORMAL, 0)
        .add("▁,", NORMAL, 0)
        .add("▁wor", NORMAL, 0)
        .add("ld", NORMAL, 0)
        .add("▁中", NORMAL, 0);
    Tokenizer tokenizer = Tokenizer.fromGguf(words.metadata("bert"));
    assertThat(tokenizer.encode("Héllo,World 中x"))
        .isEqualTo(words.ids("▁he", "llo", "▁,", "▁wor", "ld", "▁中", "[UNK]"));
    Map<String, Object> metadata = words.metadata("bert");
    metadata.put("tokenizer.ggml.seperator_token_id", 102);
    assertThat(Tokenizer.fromGguf(metadata).encodeWithSpecials("hello"))
        .isEqualTo(words.ids("[CLS]", "▁he", "llo", "[SEP]"));
  }

  @Test
  void encode_rwkv_takesTheLongestBytes() {
    Words words =
        new Words()
            .add("<s>", CONTROL, 0)
            .add("a", NORMAL, 0)
            .add("ab", NORMAL, 0)
            .add("\\n", NORMAL, 0)
            .add("\\xe4\\xb8", NORMAL, 0)
            .add("\\xad", NORMAL, 0)
            .add("\\\\", NORMAL, 0);
    Tokenizer tokenizer = Tokenizer.fromGguf(words.metadata("rwkv"));
    assertThat(tokenizer.encode("aab\n中\\")).containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(tokenizer.decode(new int[] {1, 2, 3, 4, 5, 6})).isEqualTo("aab\n中\\");
  }

  @Test
  void encode_byteLevelWithoutMerges_mergesInTheOrderOfIds() {
    Words words = new Words().alphabet();
    words.add("ab", NORMAL, 0).add("bc", NORMAL, 0).add("abc", NORMAL, 0);
    Map<String, Object> metadata = words.metadata("gpt2");
    metadata.put("tokenizer.ggml.pre", "kimi-k2");
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.encode("abc")).isEqualTo(words.ids("abc"));
    assertThat(tokenizer.encode("bca")).isEqualTo(words.ids("bc", "a"));
  }

  @Test
  void encode_wholeWordsFirst_onlyWhereThePatternSaysSo() {
    Words words = new Words().alphabet().add("abc", NORMAL, 0).add("ab", NORMAL, 0);
    Map<String, Object> metadata = words.metadata("gpt2");
    metadata.put("tokenizer.ggml.merges", List.of("a b"));
    metadata.put("tokenizer.ggml.bos_token_id", 7L);
    metadata.put("tokenizer.ggml.pre", "llama-bpe");
    Tokenizer llama3 = Tokenizer.fromGguf(metadata);
    assertThat(llama3.encode("abc")).isEqualTo(words.ids("abc"));
    assertThat(llama3.encodeWithSpecials("ab")).containsExactly(7, words.tokens.indexOf("ab"));
    metadata.put("tokenizer.ggml.pre", "qwen2");
    assertThat(Tokenizer.fromGguf(metadata).encode("abc")).isEqualTo(words.ids("ab", "c"));
    assertThat(Tokenizer.fromGguf(metadata).encodeWithSpecials("ab")).hasSize(1);
  }

  @Test
  void encode_gemma4_mergesSpelledWithSpaceSymbols() {
    Words words = new Words().add("<bos>", CONTROL, 0).add("<eos>", CONTROL, 0).bytes();
    words.add("▁", NORMAL, 0).add("a", NORMAL, 0).add("▁a", NORMAL, 0).add("\n", NORMAL, 0);
    words.add("\n\n", NORMAL, 0);
    Map<String, Object> metadata = words.metadata("gemma4");
    metadata.put("tokenizer.ggml.merges", List.of("▁ a", "\n \n"));
    metadata.put("tokenizer.ggml.bos_token_id", 0);
    metadata.put("tokenizer.ggml.eos_token_id", 1);
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.encode("a a\n\né"))
        .isEqualTo(words.ids("a", "▁a", "\n\n", "<0xC3>", "<0xA9>"));
    assertThat(tokenizer.encodeWithSpecials("a")).isEqualTo(words.ids("<bos>", "a"));
    assertThat(tokenizer.decode(tokenizer.encode("a a\n\né"))).isEqualTo("a a\n\né");
    assertThat(tokenizer.endOfGenerationIds()).containsExactly(1);
  }

  @Test
  void endOfGenerationIds_namesAndKeys_areJoined() {
    Words words = new Words().alphabet();
    for (String token :
        List.of("<|end|>", "<|return|>", "<|call|>", "<|im_end|>", "<|x|>", "<|y|>")) {
      words.add(token, CONTROL, 0);
    }
    words.add("<end_of_turn>", USER, 0).add("</s>", NORMAL, 0);
    Map<String, Object> metadata = words.metadata("gpt2");
    metadata.put("tokenizer.ggml.merges", List.of());
    metadata.put("tokenizer.ggml.eot_token_id", words.tokens.indexOf("<|x|>"));
    metadata.put("tokenizer.ggml.eom_token_id", 99_999);
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.endOfGenerationIds())
        .isEqualTo(words.ids("<|return|>", "<|call|>", "<|im_end|>", "<|x|>", "<end_of_turn>"));
    // A user must not be able to write it.
    assertThat(tokenizer.isSpecial(words.tokens.indexOf("<end_of_turn>"))).isTrue();
    assertThat(tokenizer.encode("<end_of_turn>").length).isGreaterThan(1);
  }

  @Test
  void chatTemplates_namedOnes_areFound() {
    Map<String, Object> metadata = llama().metadata("llama");
    metadata.put("tokenizer.chat_template", "plain");
    metadata.put("tokenizer.chat_templates", List.of("tool_use", "gone"));
    metadata.put("tokenizer.chat_template.tool_use", "tools");
    Tokenizer tokenizer = Tokenizer.fromGguf(metadata);
    assertThat(tokenizer.chatTemplate()).isEqualTo("plain");
    assertThat(tokenizer.chatTemplates()).containsOnlyKeys("default", "tool_use");
    assertThat(tokenizer.specialTokens())
        .containsEntry("bos_token", "<s>")
        .containsEntry("unk_token", "<unk>")
        .doesNotContainKey("pad_token");
  }

  @Test
  void fromGguf_whatCannotBeUsed_isNamed() {
    Words words = llama();
    Map<String, Object> unknownModel = words.metadata("plamo2");
    assertThatThrownBy(() -> Tokenizer.fromGguf(unknownModel))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("plamo2");
    Map<String, Object> unknownPattern = words.metadata("gpt2");
    unknownPattern.put("tokenizer.ggml.pre", "no-such-pattern");
    assertThatThrownBy(() -> Tokenizer.fromGguf(unknownPattern))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("no-such-pattern")
        .hasMessageContaining("llama-bpe");
    Map<String, Object> fewScores = words.metadata("llama");
    fewScores.put("tokenizer.ggml.scores", new float[] {1});
    assertThatThrownBy(() -> Tokenizer.fromGguf(fewScores))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("1 entries for " + words.tokens.size());
    Map<String, Object> badMerge = words.metadata("gpt2");
    badMerge.put("tokenizer.ggml.pre", "gpt-2");
    badMerge.put("tokenizer.ggml.merges", new String[] {"a b", "c"});
    assertThatThrownBy(() -> Tokenizer.fromGguf(badMerge))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("merge 1");
    assertThatThrownBy(() -> Tokenizer.fromGguf(Map.of())).isInstanceOf(ModelFormatException.class);
  }

  @Test
  void names_everyPattern_compiles() {
    assertThat(GgufPattern.names()).hasSizeGreaterThan(60);
    for (String name : GgufPattern.names()) {
      GgufPattern pattern = GgufPattern.named(name);
      assertThat(pattern).isNotNull();
      if (pattern != null) {
        List<Piece> pieces = new ArrayList<>();
        pattern.preTokenizer().split(new Piece("It's 12345 a\n\n  b 漢", true), pieces);
        assertThat(pieces).as(name).hasSizeGreaterThan(1);
      }
    }
  }
}
