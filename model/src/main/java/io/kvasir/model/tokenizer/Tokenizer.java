package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.regex.RegexSyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// Text to token ids and back, as the model was trained.
///
/// Encoding goes through the stages that Hugging Face's `tokenizers` names: added tokens are
/// recognised, the text between them is normalized, cut into pieces by a pre-tokenizer, and each
/// piece becomes ids by a subword model. A GGUF file's metadata is turned into the same stages. All
/// stages take time linear or O(n log n) in the text, whatever it is.
///
/// Lone surrogates count as U+FFFD. Immutable but for a bounded cache of words; any number of
/// threads may use one instance at once.
public final class Tokenizer {
  private final TokenizerParts parts;
  private final Vocabulary vocabulary;

  Tokenizer(TokenizerParts parts) {
    this.parts = parts;
    this.vocabulary = parts.vocabulary();
  }

  /// The tokenizer of a Hugging Face folder: `tokenizer.json`, and where they exist
  /// `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json` and the files
  /// with chat templates.
  ///
  /// @throws ModelFormatException where `tokenizer.json` is missing or cannot be used
  public static Tokenizer fromFolder(Path folder) {
    return TokenizerFolder.read(folder);
  }

  /// The tokenizer that a Hugging Face `tokenizer.json` describes.
  ///
  /// @param tokenizerJson the parsed `tokenizer.json`
  /// @param tokenizerConfig the parsed `tokenizer_config.json`, or `null`
  /// @throws ModelFormatException where it is malformed or uses a stage that does not exist here
  public static Tokenizer fromJson(Json tokenizerJson, @Nullable Json tokenizerConfig) {
    return new JsonTokenizerReader(
            tokenizerJson, tokenizerConfig == null ? Json.Null.NULL : tokenizerConfig)
        .read();
  }

  /// The tokenizer that the metadata of a GGUF file describes.
  ///
  /// @throws ModelFormatException where it is malformed or names an unknown kind of tokenizer
  public static Tokenizer fromGguf(TokenizerMetadata metadata) {
    return new GgufTokenizerReader(metadata).read();
  }

  /// The tokenizer that the metadata of a GGUF file describes, as plain Java values: strings, boxed
  /// numbers and truth values, and arrays as lists or Java arrays.
  ///
  /// @throws ModelFormatException where it is malformed or names an unknown kind of tokenizer
  public static Tokenizer fromGguf(Map<String, Object> metadata) {
    return fromGguf(new MapMetadata(metadata));
  }

  /// The ids of `text`, in which no special token is recognised; no BOS or EOS is added.
  public int[] encode(String text) {
    return encode(text, false);
  }

  /// The ids of `text`; no BOS or EOS is added.
  ///
  /// @throws ModelFormatException where the vocabulary has no token for a character, or a pattern
  ///   of the model takes too many steps on the text
  /// @param parseSpecial whether special tokens such as `<|im_end|>` are recognised in the text, as
  ///   a rendered chat template needs it; never for text that a user typed
  public int[] encode(String text, boolean parseSpecial) {
    IdList out = new IdList();
    encode(text, parseSpecial, out);
    return out.toArray();
  }

  /// The ids of `text` between the BOS and EOS that the model asks for; no special token is
  /// recognised in the text.
  public int[] encodeWithSpecials(String text) {
    return encodeWithSpecials(text, false);
  }

  /// The ids of `text` between the BOS and EOS that the model asks for.
  ///
  /// @param parseSpecial as for [#encode(String, boolean)]
  public int[] encodeWithSpecials(String text, boolean parseSpecial) {
    IdList out = new IdList();
    parts.frame().before().forEach(out::add);
    encode(text, parseSpecial, out);
    parts.frame().behind().forEach(out::add);
    return out.toArray();
  }

  private void encode(String text, boolean parseSpecial, IdList out) {
    TokenizerParts.Recognition recognition = parts.recognition();
    SubwordModel model = parts.model();
    AddedTokens.Sink pieces =
        new AddedTokens.Sink() {
          @Override
          public void text(String part, boolean first) {
            List<Piece> cut = new ArrayList<>();
            recognition.preTokenizer().split(new Piece(part, first), cut);
            for (Piece piece : cut) {
              model.encode(piece.text(), out);
            }
          }

          @Override
          public void token(int id) {
            out.add(id);
          }
        };
    AddedTokens.Sink normalizing =
        new AddedTokens.Sink() {
          @Override
          public void text(String part, boolean first) {
            String normal = recognition.normalizer().apply(part);
            recognition.normalized().split(normal, parseSpecial, first, pieces);
          }

          @Override
          public void token(int id) {
            out.add(id);
          }
        };
    try {
      recognition.raw().split(Utf8.wellFormed(text), parseSpecial, true, normalizing);
    } catch (RegexSyntaxException e) {
      throw new ModelFormatException("the tokenizer cannot cut the text: " + e.getMessage(), e);
    }
  }

  /// The text of `ids`, special tokens included; bytes that are no UTF-8 become U+FFFD, ids that do
  /// not exist become nothing.
  public String decode(int[] ids) {
    return decode(ids, false);
  }

  /// The text of `ids`; bytes that are no UTF-8 become U+FFFD, ids that do not exist become
  /// nothing.
  ///
  /// @param skipSpecial whether special tokens are left out
  public String decode(int[] ids, boolean skipSpecial) {
    Detokenizer detokenizer = new Detokenizer(this, skipSpecial);
    StringBuilder out = new StringBuilder();
    for (int id : ids) {
      detokenizer.append(id, out);
    }
    return out.append(detokenizer.finish()).toString();
  }

  /// The token as the vocabulary writes it, for people to read; empty for an id that does not
  /// exist.
  public String piece(int id) {
    return vocabulary.token(id);
  }

  /// The bytes that token `id` stands for within a text: not always whole characters; for a special
  /// token those of its spelling. Empty for an id that does not exist.
  public byte[] bytes(int id) {
    return bytes(id, false);
  }

  byte[] bytes(int id, boolean first) {
    String token = vocabulary.token(id);
    if (parts.literalAdded() && isAdded(id)) {
      return token.getBytes(StandardCharsets.UTF_8);
    }
    return token.isEmpty() ? new byte[0] : parts.spelling().bytes(token, first);
  }

  private boolean isAdded(int id) {
    return switch (vocabulary.kind(id)) {
      case CONTROL, USER_DEFINED, UNKNOWN -> true;
      case NORMAL, UNUSED, BYTE -> false;
    };
  }

  TokenSpelling spelling() {
    return parts.spelling();
  }

  boolean has(int id) {
    return vocabulary.has(id);
  }

  /// How many ids there are: one more than the largest.
  public int vocabularySize() {
    return vocabulary.size();
  }

  /// The id of the token that the vocabulary writes as `token`.
  public OptionalInt idOf(String token) {
    return vocabulary.idOf(token);
  }

  /// The token that begins a text.
  public OptionalInt bosId() {
    return optional(parts.special().bosId());
  }

  /// The token that ends a text.
  public OptionalInt eosId() {
    return optional(parts.special().eosId());
  }

  /// The token for what the vocabulary cannot spell.
  public OptionalInt unkId() {
    return optional(parts.special().unkId());
  }

  /// The token that fills up a batch.
  public OptionalInt padId() {
    return optional(parts.special().padId());
  }

  private static OptionalInt optional(int id) {
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /// The tokens after which generation stops, ascending: those that the model names and those with
  /// a well-known spelling such as `<|im_end|>`.
  public int[] endOfGenerationIds() {
    return parts.special().endOfGeneration().stream().mapToInt(Integer::intValue).toArray();
  }

  /// Whether token `id` is a control token rather than text.
  public boolean isSpecial(int id) {
    return vocabulary.has(id)
        && (vocabulary.kind(id) == TokenKind.CONTROL || vocabulary.kind(id) == TokenKind.UNKNOWN);
  }

  /// The chat template that the model names as its default, as Jinja source.
  public @Nullable String chatTemplate() {
    return parts.chatTemplates().get("default");
  }

  /// All chat templates by name; the default one is called `default`.
  public Map<String, String> chatTemplates() {
    return parts.chatTemplates();
  }

  /// The special tokens by role (`bos_token`, `eos_token`, ...), as a chat template sees them.
  public Map<String, String> specialTokens() {
    return parts.special().byRole();
  }
}
