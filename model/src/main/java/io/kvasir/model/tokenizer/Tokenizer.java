package io.kvasir.model.tokenizer;

import io.kvasir.model.json.Json;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// Text to token ids and back, as the model was trained.
///
/// Immutable but for a bounded cache of words; any number of threads may use one instance at once.
public final class Tokenizer {

  private Tokenizer() {}

  /// The tokenizer of a Hugging Face folder: `tokenizer.json`, and where they exist
  /// `tokenizer_config.json` and `chat_template.jinja`.
  public static Tokenizer fromFolder(Path folder) {
    return new Tokenizer();
  }

  /// The tokenizer that a Hugging Face `tokenizer.json` describes.
  ///
  /// @param tokenizerJson the parsed `tokenizer.json`
  /// @param tokenizerConfig the parsed `tokenizer_config.json`, or `null`
  public static Tokenizer fromJson(Json tokenizerJson, @Nullable Json tokenizerConfig) {
    return new Tokenizer();
  }

  /// The tokenizer that the metadata of a GGUF file describes.
  public static Tokenizer fromGguf(TokenizerMetadata metadata) {
    return new Tokenizer();
  }

  /// The tokenizer that the metadata of a GGUF file describes, as plain Java values.
  public static Tokenizer fromGguf(Map<String, Object> metadata) {
    return fromGguf(new MapMetadata(metadata));
  }

  /// The ids of `text`, in which no special token is recognised; no BOS or EOS is added.
  public int[] encode(String text) {
    return encode(text, false);
  }

  /// The ids of `text`; no BOS or EOS is added.
  ///
  /// @param parseSpecial whether special tokens such as `<|im_end|>` are recognised in the text, as
  ///   a rendered chat template needs it; never for text that a user typed
  public int[] encode(String text, boolean parseSpecial) {
    return new int[0];
  }

  /// The ids of `text` between the BOS and EOS that the model asks for; no special token is
  /// recognised in the text.
  public int[] encodeWithSpecials(String text) {
    return new int[0];
  }

  /// The text of `ids`, special tokens included; bytes that are no UTF-8 become U+FFFD.
  public String decode(int[] ids) {
    return decode(ids, false);
  }

  /// The text of `ids`; bytes that are no UTF-8 become U+FFFD.
  ///
  /// @param skipSpecial whether special tokens are left out
  public String decode(int[] ids, boolean skipSpecial) {
    return "";
  }

  /// The token as the vocabulary writes it, for people to read.
  public String piece(int id) {
    return "";
  }

  /// The bytes that token `id` stands for inside a text.
  public byte[] bytes(int id) {
    return new byte[0];
  }

  /// How many ids there are: one more than the largest.
  public int vocabularySize() {
    return 0;
  }

  /// The id of the token that the vocabulary writes as `token`.
  public OptionalInt idOf(String token) {
    return OptionalInt.empty();
  }

  /// The token that begins a text.
  public OptionalInt bosId() {
    return OptionalInt.empty();
  }

  /// The token that ends a text.
  public OptionalInt eosId() {
    return OptionalInt.empty();
  }

  /// The token for what the vocabulary cannot spell.
  public OptionalInt unkId() {
    return OptionalInt.empty();
  }

  /// The token that fills up a batch.
  public OptionalInt padId() {
    return OptionalInt.empty();
  }

  /// The tokens after which generation stops, ascending.
  public int[] endOfGenerationIds() {
    return new int[0];
  }

  /// Whether token `id` is a control token rather than text.
  public boolean isSpecial(int id) {
    return false;
  }

  /// The chat template that the model names as its default, as Jinja source.
  public @Nullable String chatTemplate() {
    return null;
  }

  /// All chat templates by name; the default one is called `default`.
  public Map<String, String> chatTemplates() {
    return Map.of();
  }

  /// The special tokens by role (`bos_token`, `eos_token`, ...), as a chat template sees them.
  public Map<String, String> specialTokens() {
    return Map.of();
  }
}
