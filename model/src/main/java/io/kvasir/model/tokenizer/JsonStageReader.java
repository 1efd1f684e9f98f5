package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.regex.Regex;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads the sections `normalizer`, `pre_tokenizer` and `post_processor` of a `tokenizer.json`.
final class JsonStageReader {
  /// The pattern of `ByteLevel`, GPT-2's.
  static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  private static final String PUNCTUATION = "[!-/:-@\\[-`{-~\\p{P}]";
  private static final String WORD =
      "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D]+"
          + "|[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D\\s]+";

  private static final int MAX_DEPTH = 20;

  private JsonStageReader() {}

  static Normalizer normalizer(Json json) {
    if (json.isNull()) {
      return Normalizer.Chain.NONE;
    }
    return normalizer(json, 0);
  }

  private static Normalizer normalizer(Json json, int depth) {
    String type = type(json, depth);
    return switch (type) {
      case "Sequence" -> {
        List<Normalizer> stages = new ArrayList<>();
        for (Json stage : json.get("normalizers").asList()) {
          stages.add(normalizer(stage, depth + 1));
        }
        yield new Normalizer.Chain(stages);
      }
      case "NFC", "NFD", "NFKC", "NFKD" ->
          new Normalizer.Form(java.text.Normalizer.Form.valueOf(type));
      case "Lowercase" -> new Normalizer.Lowercase();
      case "Strip" ->
          new Normalizer.Strip(
              json.booleanOr("strip_left", true), json.booleanOr("strip_right", true));
      case "StripAccents" -> new Normalizer.StripAccents();
      case "Replace" -> {
        String content = json.get("content").asString();
        String literal = literal(json.get("pattern"));
        yield literal == null
            ? new Normalizer.Replace(pattern(json.get("pattern")), content)
            : new Normalizer.Substitute(literal, content);
      }
      case "Prepend" -> new Normalizer.Surround(json.get("prepend").asString(), "");
      case "Append" -> new Normalizer.Surround("", json.get("append").asString());
      case "ByteLevel" -> new Normalizer.ByteSpelling();
      case "Nmt" -> new Normalizer.Nmt();
      case "Precompiled" -> new Normalizer.Mapping(characterMap(json.get("precompiled_charsmap")));
      case "BertNormalizer" -> {
        boolean lowercase = json.booleanOr("lowercase", true);
        yield new Normalizer.Bert(
            json.booleanOr("clean_text", true),
            json.booleanOr("handle_chinese_chars", true),
            json.booleanOr("strip_accents", lowercase),
            lowercase);
      }
      default ->
          throw new ModelFormatException("tokenizer normalizer \"" + type + "\" is not supported");
    };
  }

  private static CharacterMap characterMap(Json base64) {
    if (base64.isNull()) {
      return CharacterMap.EMPTY;
    }
    try {
      return CharacterMap.read(Base64.getDecoder().decode(base64.asString()));
    } catch (IllegalArgumentException e) {
      throw new ModelFormatException("precompiled_charsmap is no base64: " + e.getMessage(), e);
    }
  }

  static PreTokenizer preTokenizer(Json json) {
    return json.isNull() ? new PreTokenizer.Chain(List.of()) : preTokenizer(json, 0);
  }

  private static PreTokenizer preTokenizer(Json json, int depth) {
    String type = type(json, depth);
    return switch (type) {
      case "Sequence" -> {
        List<PreTokenizer> stages = new ArrayList<>();
        for (Json stage : json.get("pretokenizers").asList()) {
          stages.add(preTokenizer(stage, depth + 1));
        }
        yield new PreTokenizer.Chain(stages);
      }
      case "ByteLevel" -> byteLevel(json);
      case "Split" ->
          cut(
              pattern(json.get("pattern")),
              behavior(json.get("behavior").asString()),
              json.booleanOr("invert", false));
      case "Digits" ->
          cut(
              Regex.compile("\\p{N}"),
              json.booleanOr("individual_digits", false)
                  ? PreTokenizer.Matches.ISOLATED
                  : PreTokenizer.Matches.CONTIGUOUS,
              false);
      case "Punctuation" -> {
        String behavior = json.stringOr("behavior", "Isolated");
        yield cut(Regex.compile(PUNCTUATION), behavior(behavior == null ? "" : behavior), false);
      }
      case "Metaspace" -> metaspace(json);
      case "Whitespace" -> cut(Regex.compile(WORD), PreTokenizer.Matches.REMOVED, true);
      case "WhitespaceSplit" -> cut(Regex.compile("\\s"), PreTokenizer.Matches.REMOVED, false);
      case "BertPreTokenizer" -> bertWords();
      case "CharDelimiterSplit" ->
          cut(Regex.literal(json.get("delimiter").asString()), PreTokenizer.Matches.REMOVED, false);
      case "FixedLength" ->
          cut(
              Regex.compile("(?m:.{1," + json.intOr("length", 5) + "})"),
              PreTokenizer.Matches.ISOLATED,
              false);
      default ->
          throw new ModelFormatException(
              "tokenizer pre-tokenizer \"" + type + "\" is not supported");
    };
  }

  /// Words between white space, and every punctuation mark for itself.
  static PreTokenizer bertWords() {
    return new PreTokenizer.Chain(
        List.of(
            cut(Regex.compile("\\s"), PreTokenizer.Matches.REMOVED, false),
            cut(Regex.compile(PUNCTUATION), PreTokenizer.Matches.ISOLATED, false)));
  }

  private static PreTokenizer byteLevel(Json json) {
    List<PreTokenizer> stages = new ArrayList<>();
    if (json.booleanOr("add_prefix_space", true)) {
      stages.add(new PreTokenizer.PrefixSpace());
    }
    if (json.booleanOr("use_regex", true)) {
      stages.add(cut(Regex.compile(GPT2), PreTokenizer.Matches.ISOLATED, false));
    }
    stages.add(new PreTokenizer.ByteSpelling());
    return new PreTokenizer.Chain(stages);
  }

  private static PreTokenizer metaspace(Json json) {
    String replacement = json.stringOr("replacement", "▁");
    return new PreTokenizer.Metaspace(
        replacement == null ? "▁" : replacement, prepend(json), json.booleanOr("split", true));
  }

  /// Where a space is put first; older files say only whether one is.
  static PreTokenizer.Prepend prepend(Json json) {
    if (json.get("prepend_scheme") instanceof Json.Str(String scheme)) {
      return switch (scheme) {
        case "always" -> PreTokenizer.Prepend.ALWAYS;
        case "first" -> PreTokenizer.Prepend.FIRST;
        case "never" -> PreTokenizer.Prepend.NEVER;
        default -> throw new ModelFormatException("prepend_scheme \"" + scheme + "\" is not known");
      };
    }
    return json.booleanOr("add_prefix_space", true)
        ? PreTokenizer.Prepend.ALWAYS
        : PreTokenizer.Prepend.NEVER;
  }

  static PreTokenizer cut(Regex pattern, PreTokenizer.Matches matches, boolean inverted) {
    return new PreTokenizer.Cut(pattern, matches, inverted);
  }

  private static PreTokenizer.Matches behavior(String name) {
    return switch (name) {
      case "Removed" -> PreTokenizer.Matches.REMOVED;
      case "Isolated" -> PreTokenizer.Matches.ISOLATED;
      case "MergedWithPrevious" -> PreTokenizer.Matches.MERGED_WITH_PREVIOUS;
      case "MergedWithNext" -> PreTokenizer.Matches.MERGED_WITH_NEXT;
      case "Contiguous" -> PreTokenizer.Matches.CONTIGUOUS;
      default -> throw new ModelFormatException("split behavior \"" + name + "\" is not known");
    };
  }

  /// The text of a pattern that is literal text and not empty, else null.
  static @Nullable String literal(Json json) {
    Json text = json.has("String") ? json.get("String") : json;
    return text instanceof Json.Str(String literal) && !literal.isEmpty() ? literal : null;
  }

  static Regex pattern(Json json) {
    if (json instanceof Json.Str(String literal)) {
      return Regex.literal(literal);
    }
    return json.has("String")
        ? Regex.literal(json.get("String").asString())
        : Regex.compile(json.get("Regex").asString());
  }

  /// The ids that `json` puts around the frame `inner`.
  static TokenizerParts.Frame frame(Json json, TokenizerParts.Frame inner) {
    if (json.isNull()) {
      return inner;
    }
    String type = type(json, 0);
    return switch (type) {
      case "ByteLevel" -> inner;
      case "TemplateProcessing" -> template(json, inner);
      case "BertProcessing", "RobertaProcessing" ->
          new TokenizerParts.Frame(
              joined(List.of(secondId(json.get("cls"))), inner.before()),
              joined(inner.behind(), List.of(secondId(json.get("sep")))));
      case "Sequence" -> {
        TokenizerParts.Frame frame = inner;
        for (Json processor : json.get("processors").asList()) {
          if (type(processor, 0).equals("Sequence")) {
            throw new ModelFormatException("post-processors of a sequence cannot be sequences");
          }
          frame = frame(processor, frame);
        }
        yield frame;
      }
      default ->
          throw new ModelFormatException(
              "tokenizer post-processor \"" + type + "\" is not supported");
    };
  }

  /// The id of a token that is written as a pair of text and id.
  private static int secondId(Json pair) {
    List<Json> items = pair.asList();
    if (items.size() != 2) {
      throw new ModelFormatException("a token and its id are expected: " + pair.toText());
    }
    return items.get(1).asInt();
  }

  private static TokenizerParts.Frame template(Json json, TokenizerParts.Frame inner) {
    List<Integer> before = new ArrayList<>();
    List<Integer> behind = new ArrayList<>();
    boolean passed = false;
    for (Json part : json.get("single").asList()) {
      if (part.has("Sequence")) {
        passed = true;
        before.addAll(inner.before());
        behind.addAll(inner.behind());
        continue;
      }
      String name = part.get("SpecialToken").get("id").asString();
      Json token = json.get("special_tokens").get(name);
      for (Json id : token.get("ids").asList()) {
        (passed ? behind : before).add(id.asInt());
      }
    }
    return new TokenizerParts.Frame(before, behind);
  }

  private static List<Integer> joined(List<Integer> first, List<Integer> second) {
    List<Integer> out = new ArrayList<>(first);
    out.addAll(second);
    return out;
  }

  static String type(Json json, int depth) {
    if (depth > MAX_DEPTH) {
      throw new ModelFormatException("tokenizer stages nest deeper than " + MAX_DEPTH);
    }
    return json.get("type").asString();
  }
}
