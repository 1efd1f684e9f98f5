package io.kvasir.model.tokenizer;

import io.kvasir.model.file.GgufFile;
import io.kvasir.model.file.GgufMetadata;
import io.kvasir.model.json.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Builds `tokenizer.json` files of many kinds out of the vocabularies at hand.
final class OracleFiles {
  static final String ALPHABET =
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
          + "\"trim_offsets\":true,\"use_regex\":false}";
  static final String LLAMA_DECODER =
      "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"▁\"},"
          + "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
          + "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}";
  static final String LLAMA_NORMALIZER =
      "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"▁\"},"
          + "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}]}";

  /// The size of the small byte-level vocabulary.
  static final int SMALL = 2000;

  private OracleFiles() {}

  /// The parts of a file; what is null stays out.
  record Stages(
      @Nullable String normalizer,
      @Nullable String preTokenizer,
      @Nullable String postProcessor,
      @Nullable String decoder,
      @Nullable String addedTokens) {
    static Stages pre(String preTokenizer) {
      return new Stages(null, preTokenizer, null, ALPHABET, null);
    }

    static Stages normal(String normalizer) {
      return new Stages(normalizer, ALPHABET, null, ALPHABET, null);
    }
  }

  static String split(String regex, String behavior, boolean invert) {
    return "{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        + new Json.Str(regex).toText()
        + "},\"behavior\":\""
        + behavior
        + "\",\"invert\":"
        + invert
        + "}";
  }

  static String sequence(String... preTokenizers) {
    return "{\"type\":\"Sequence\",\"pretokenizers\":[" + String.join(",", preTokenizers) + "]}";
  }

  static Json file(Json model, Stages stages) {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("version", new Json.Str("1.0"));
    fields.put("truncation", Json.Null.NULL);
    fields.put("padding", Json.Null.NULL);
    fields.put(
        "added_tokens",
        stages.addedTokens == null ? new Json.Arr(List.of()) : Json.parse(stages.addedTokens));
    fields.put("normalizer", optional(stages.normalizer));
    fields.put("pre_tokenizer", optional(stages.preTokenizer));
    fields.put("post_processor", optional(stages.postProcessor));
    fields.put("decoder", optional(stages.decoder));
    fields.put("model", model);
    return new Json.Obj(fields);
  }

  private static Json optional(@Nullable String json) {
    return json == null ? Json.Null.NULL : Json.parse(json);
  }

  static Json defaultFile() throws IOException {
    return Json.parse(Files.readString(TestTexts.require("models/kvasir-stories/tokenizer.json")));
  }

  /// The byte-level model of the default tokenizer, cut down to [#SMALL] tokens so that it loads at
  /// once, with fields replaced. Its vocabulary is three special tokens, the bytes, then a token a
  /// merge.
  static Json byteLevelModel(Map<String, Json> changes) throws IOException {
    Map<String, Json> fields = new LinkedHashMap<>(defaultFile().get("model").asMap());
    Map<String, Json> vocab =
        new LinkedHashMap<>(fields.getOrDefault("vocab", Json.Null.NULL).asMap());
    vocab.values().removeIf(id -> id.asInt() >= SMALL);
    List<Json> merges = fields.getOrDefault("merges", Json.Null.NULL).asList();
    fields.put("vocab", new Json.Obj(vocab));
    fields.put("merges", new Json.Arr(merges.subList(0, SMALL - 259)));
    fields.putAll(changes);
    return new Json.Obj(fields);
  }

  /// A SentencePiece vocabulary as merges, in the way of the usual converters: every way to put a
  /// token together, by the token's score.
  static Json mergesOfSentencePiece(Map<String, Json> changes) {
    List<String> tokens = sentencePieceTokens();
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    record Merge(String left, String right, int rank) {}
    List<Merge> merges = new ArrayList<>();
    for (int id = 259; id < tokens.size(); id++) {
      String token = tokens.get(id);
      for (int cut = 1; cut < token.length(); cut++) {
        String left = token.substring(0, cut);
        String right = token.substring(cut);
        if (ids.containsKey(left) && ids.containsKey(right)) {
          merges.add(new Merge(left, right, id));
        }
      }
    }
    merges.sort(Comparator.comparingInt(Merge::rank));
    Map<String, Json> vocab = new LinkedHashMap<>();
    ids.forEach((token, id) -> vocab.put(token, new Json.Int(id)));
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("type", new Json.Str("BPE"));
    fields.put("dropout", Json.Null.NULL);
    fields.put("unk_token", new Json.Str("<unk>"));
    fields.put("continuing_subword_prefix", Json.Null.NULL);
    fields.put("end_of_word_suffix", Json.Null.NULL);
    fields.put("fuse_unk", new Json.Bool(true));
    fields.put("byte_fallback", new Json.Bool(true));
    fields.put("vocab", new Json.Obj(vocab));
    fields.put(
        "merges",
        new Json.Arr(
            merges.stream().map(m -> (Json) new Json.Str(m.left + " " + m.right)).toList()));
    fields.putAll(changes);
    return new Json.Obj(fields);
  }

  /// A SentencePiece vocabulary with made-up log-probabilities.
  static Json unigram(boolean byteFallback) {
    List<String> tokens = sentencePieceTokens();
    List<Json> vocab = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      double score = id < 3 ? 0 : -4 - Math.log(1.0 + id * 7919 % 2_999) - 0.1 * token.length();
      vocab.add(new Json.Arr(List.of(new Json.Str(token), new Json.Real(score))));
    }
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("type", new Json.Str("Unigram"));
    fields.put("unk_id", new Json.Int(0));
    fields.put("vocab", new Json.Arr(vocab));
    fields.put("byte_fallback", new Json.Bool(byteFallback));
    return new Json.Obj(fields);
  }

  private static List<String> sentencePieceTokens() {
    try (GgufFile file =
        GgufFile.open(TestTexts.require("reference/tokenizers/ggml-vocab-llama-spm.gguf"))) {
      GgufMetadata metadata = file.metadata();
      List<String> tokens = metadata.strings("tokenizer.ggml.tokens");
      // Special tokens, bytes and the first merges; then the single characters, which come last.
      List<String> chosen = new ArrayList<>();
      for (int id = 0; tokens != null && id < tokens.size(); id++) {
        if (id < 3000 || id >= 29_871) {
          chosen.add(tokens.get(id));
        }
      }
      return chosen;
    }
  }

  /// A WordPiece vocabulary: letters, signs and some words and endings.
  static Json wordPiece() {
    List<String> tokens = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"));
    for (char c = '!'; c <= '~'; c++) {
      tokens.add(String.valueOf(c));
      tokens.add("##" + c);
    }
    for (String word :
        List.of(
            "the", "once", "up", "on", "time", "hello", "world", "do", "he", "中", "文", "é", "мир",
            "при", "##вет", "##on", "##llo", "##time", "##rld", "##case", "camel", "don", "'",
            "##t", "😀", "12", "##34", "한", "##국", "##어")) {
      if (!tokens.contains(word)) {
        tokens.add(word);
      }
    }
    Map<String, Json> vocab = new LinkedHashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      vocab.put(tokens.get(id), new Json.Int(id));
    }
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("type", new Json.Str("WordPiece"));
    fields.put("unk_token", new Json.Str("[UNK]"));
    fields.put("continuing_subword_prefix", new Json.Str("##"));
    fields.put("max_input_chars_per_word", new Json.Int(12));
    fields.put("vocab", new Json.Obj(vocab));
    return new Json.Obj(fields);
  }

  /// A small model with marks on symbols within and at the end of words.
  static Json markedSymbols(String prefix, String suffix, boolean fuse) {
    List<String> tokens = new ArrayList<>(List.of("<unk>"));
    for (String letter : List.of("t", "h", "e", "o", "n", "c", "a", "m", "i", "l", "w", "1", "2")) {
      for (String before : List.of("", prefix)) {
        for (String behind : List.of("", suffix)) {
          if (!tokens.contains(before + letter + behind)) {
            tokens.add(before + letter + behind);
          }
        }
      }
    }
    List<String> merges = new ArrayList<>();
    String[][] pairs = {
      {"t", "h", ""},
      {"h", "e", suffix},
      {"th", "e", suffix},
      {"o", "n", ""},
      {"on", "c", ""},
      {"onc", "e", suffix},
      {"l", "o", suffix},
      {"t", "i", ""}
    };
    for (String[] pair : pairs) {
      String joined = pair[0] + pair[1] + pair[2];
      if (!tokens.contains(joined)) {
        tokens.add(joined);
      }
      if (!tokens.contains(pair[0])) {
        tokens.add(pair[0]);
      }
      merges.add(pair[0] + " " + prefix + pair[1] + pair[2]);
    }
    Map<String, Json> vocab = new LinkedHashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      vocab.put(tokens.get(id), new Json.Int(id));
    }
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("type", new Json.Str("BPE"));
    fields.put("unk_token", new Json.Str("<unk>"));
    fields.put(
        "continuing_subword_prefix", prefix.isEmpty() ? Json.Null.NULL : new Json.Str(prefix));
    fields.put("end_of_word_suffix", suffix.isEmpty() ? Json.Null.NULL : new Json.Str(suffix));
    fields.put("fuse_unk", new Json.Bool(fuse));
    fields.put("vocab", new Json.Obj(vocab));
    fields.put("merges", new Json.Arr(merges.stream().map(m -> (Json) new Json.Str(m)).toList()));
    return new Json.Obj(fields);
  }
}
