package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import io.kvasir.model.tokenizer.regex.RegexSyntaxException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads Hugging Face's `tokenizer.json` with `tokenizer_config.json`.
final class JsonTokenizerReader {
  /// Classes in `transformers` whose flags `add_bos_token` and `add_eos_token` overrule the file's
  /// post-processor.
  private static final Set<String> FLAGS_RULE = Set.of("llama", "codellama", "gemma", "cohere");

  private final Json file;
  private final Json config;
  private final List<Integer> generationEnds = new ArrayList<>();
  private final Map<String, String> extraTemplates = new TreeMap<>();

  JsonTokenizerReader(Json file, Json config) {
    this.file = file;
    this.config = config;
  }

  /// Adds an id that `generation_config.json` names as the end.
  void addGenerationEnd(int id) {
    generationEnds.add(id);
  }

  /// Adds a template that stands in a file of its own.
  void addTemplate(String name, String source) {
    extraTemplates.put(name, source);
  }

  Tokenizer read() {
    try {
      return new Tokenizer(parts());
    } catch (JsonException | RegexSyntaxException e) {
      throw new ModelFormatException("tokenizer.json cannot be used: " + e.getMessage(), e);
    }
  }

  private TokenizerParts parts() {
    Json model = file.get("model");
    if (model.isNull()) {
      throw new ModelFormatException("tokenizer.json has no \"model\"");
    }
    JsonModelReader modelReader = new JsonModelReader(model);
    Vocabulary vocabulary = modelReader.vocabulary();
    List<AddedTokens.Token> added = addedTokens(vocabulary);
    Normalizer normalizer = JsonStageReader.normalizer(file.get("normalizer"));
    PreTokenizer preTokenizer = JsonStageReader.preTokenizer(file.get("pre_tokenizer"));
    TokenSpelling spelling = JsonSpellingReader.read(file.get("decoder"));
    boolean byteLevel =
        spelling.steps().stream().anyMatch(TokenSpelling.Alphabet.class::isInstance);
    return new TokenizerParts(
        vocabulary,
        new TokenizerParts.Recognition(
            recognizer(added, false, normalizer),
            normalizer,
            recognizer(added, true, normalizer),
            preTokenizer),
        modelReader.model(vocabulary),
        frame(vocabulary),
        spelling,
        byteLevel,
        specialTokens(vocabulary),
        chatTemplates());
  }

  private List<AddedTokens.Token> addedTokens(Vocabulary vocabulary) {
    List<AddedTokens.Token> added = new ArrayList<>();
    for (Json entry : file.get("added_tokens").asList()) {
      String content = entry.get("content").asString();
      if (content.isEmpty()) {
        continue;
      }
      int known = vocabulary.find(content);
      int id = known >= 0 ? known : entry.get("id").asInt();
      boolean special = entry.booleanOr("special", false);
      vocabulary.put(id, content, special ? TokenKind.CONTROL : TokenKind.USER_DEFINED);
      added.add(
          new AddedTokens.Token(
              id,
              content,
              special,
              entry.booleanOr("normalized", !special),
              entry.booleanOr("single_word", false),
              entry.booleanOr("lstrip", false),
              entry.booleanOr("rstrip", false)));
    }
    return added;
  }

  private static AddedTokens recognizer(
      List<AddedTokens.Token> added, boolean normalized, Normalizer normalizer) {
    List<AddedTokens.Token> tokens = new ArrayList<>();
    List<String> spellings = new ArrayList<>();
    for (AddedTokens.Token token : added) {
      if (token.normalized() == normalized) {
        String spelling = normalized ? normalizer.apply(token.content()) : token.content();
        if (!spelling.isEmpty()) {
          tokens.add(token);
          spellings.add(spelling);
        }
      }
    }
    return new AddedTokens(tokens, spellings);
  }

  private TokenizerParts.Frame frame(Vocabulary vocabulary) {
    TokenizerParts.Frame frame =
        JsonStageReader.frame(file.get("post_processor"), TokenizerParts.Frame.NONE);
    String type = config.stringOr("tokenizer_class", "");
    String name =
        type == null ? "" : type.toLowerCase(Locale.ROOT).replaceAll("tokenizer(fast)?$", "");
    int bos = idOfRole("bos_token", vocabulary);
    int eos = idOfRole("eos_token", vocabulary);
    List<Integer> before = flagged("add_bos_token", FLAGS_RULE.contains(name), bos, frame.before());
    List<Integer> behind = flagged("add_eos_token", FLAGS_RULE.contains(name), eos, frame.behind());
    for (List<Integer> side : List.of(before, behind)) {
      for (int id : side) {
        if (!vocabulary.has(id)) {
          throw new ModelFormatException(
              "the post-processor adds id " + id + ", which is no token");
        }
      }
    }
    return new TokenizerParts.Frame(before, behind);
  }

  private List<Integer> flagged(String flag, boolean rules, int id, List<Integer> fromProcessor) {
    if (!config.has(flag) || config.get(flag) instanceof Json.Str) {
      return fromProcessor;
    }
    boolean wanted = config.get(flag).asBoolean();
    if (wanted && fromProcessor.isEmpty() && id >= 0) {
      return List.of(id);
    }
    return !wanted && rules ? List.of() : fromProcessor;
  }

  private SpecialTokens specialTokens(Vocabulary vocabulary) {
    Map<String, String> byRole = new LinkedHashMap<>();
    config
        .asMap()
        .forEach((key, value) -> {
          String spelling = key.endsWith("_token") ? spelling(value) : null;
          if (spelling != null) {
            byRole.put(key, spelling);
          }
        });
    int unknown = idOfRole("unk_token", vocabulary);
    List<Integer> named = new ArrayList<>(generationEnds);
    int eos = idOfRole("eos_token", vocabulary);
    if (eos >= 0) {
      named.add(eos);
    }
    return new SpecialTokens(
        idOfRole("bos_token", vocabulary),
        eos,
        unknown >= 0 ? unknown : unknownOfModel(vocabulary),
        idOfRole("pad_token", vocabulary),
        SpecialTokens.ends(vocabulary, named),
        byRole);
  }

  private int unknownOfModel(Vocabulary vocabulary) {
    Json model = file.get("model");
    if (model.get("unk_token") instanceof Json.Str(String spelling)) {
      return vocabulary.find(spelling);
    }
    return model.intOr("unk_id", -1);
  }

  private int idOfRole(String role, Vocabulary vocabulary) {
    String spelling = spelling(config.get(role));
    return spelling == null ? -1 : vocabulary.find(spelling);
  }

  /// A token is written as a string or as an object with its content.
  private static @Nullable String spelling(Json token) {
    return switch (token) {
      case Json.Str(String spelling) -> spelling;
      case Json.Obj o -> o.get("content") instanceof Json.Str(String spelling) ? spelling : null;
      case Json.Null n -> null;
      case Json.Bool b -> null;
      case Json.Int i -> null;
      case Json.Real r -> null;
      case Json.Arr a -> null;
    };
  }

  private Map<String, String> chatTemplates() {
    Map<String, String> templates = new LinkedHashMap<>();
    Json template = config.get("chat_template");
    if (template instanceof Json.Str(String source)) {
      templates.put("default", source);
    } else if (template instanceof Json.Arr(List<Json> items)) {
      for (Json item : items) {
        templates.put(item.get("name").asString(), item.get("template").asString());
      }
    }
    templates.putAll(extraTemplates);
    return Map.copyOf(templates);
  }
}
