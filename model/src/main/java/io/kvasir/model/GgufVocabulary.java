package io.kvasir.model;

import io.kvasir.model.file.GgufValue;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The tokenizer of a Hugging Face folder as GGUF metadata: tokens with their kinds, merges or
/// scores, special ids and the chat template. A folder without `tokenizer.json` gets none.
final class GgufVocabulary {
  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE = 6;

  private static final int MAX_TOKENS = 10_000_000;
  private static final Pattern BYTE_TOKEN = Pattern.compile("<0x[0-9A-Fa-f]{2}>");

  private final Path folder;
  private final Json tokenizer;
  private final Json settings;
  private final Map<String, GgufValue> metadata;
  private final List<String> tokens = new ArrayList<>();
  private final List<Integer> kinds = new ArrayList<>();
  private final Map<String, Integer> ids = new HashMap<>();
  private float @Nullable [] scores;

  private GgufVocabulary(Path folder, Json tokenizer, Map<String, GgufValue> metadata) {
    this.folder = folder;
    this.tokenizer = tokenizer;
    this.settings = read(folder.resolve("tokenizer_config.json"));
    this.metadata = metadata;
  }

  /// @param rows rows of the embedding: the vocabulary is filled up to as many tokens
  /// @throws UnsupportedModelException where GGUF has no name for how this tokenizer works
  static void write(Path folder, int rows, Map<String, GgufValue> metadata) {
    Json tokenizer = read(folder.resolve("tokenizer.json"));
    if (tokenizer.isNull()) {
      return;
    }
    try {
      new GgufVocabulary(folder, tokenizer, metadata).write(rows);
    } catch (JsonException e) {
      throw new ModelFormatException(
          "the tokenizer of '%s' is not usable: %s".formatted(folder, e.getMessage()), e);
    }
  }

  private static Json read(Path file) {
    if (!Files.isRegularFile(file)) {
      return Json.Null.NULL;
    }
    try {
      return Json.parse(Files.readString(file));
    } catch (IOException e) {
      throw new ModelFormatException("cannot read '%s': %s".formatted(file, e.getMessage()), e);
    } catch (JsonException e) {
      throw new ModelFormatException("'%s' is %s".formatted(file, e.getMessage()), e);
    }
  }

  private void write(int rows) {
    Json model = tokenizer.get("model");
    String type = model.textOr("type", "BPE");
    switch (type) {
      case "BPE" -> bytePairs(model);
      case "Unigram" -> unigram(model);
      default ->
          throw new UnsupportedModelException(
              "tokenizers of type '%s' cannot be written to GGUF".formatted(type));
    }
    addedTokens();
    while (tokens.size() < rows) {
      put(tokens.size(), "[PAD" + tokens.size() + "]", UNUSED);
    }
    metadata.put("tokenizer.ggml.tokens", GgufValue.ofStrings(tokens));
    int[] types = kinds.stream().mapToInt(Integer::intValue).toArray();
    metadata.put("tokenizer.ggml.token_type", GgufValue.ofInts(types));
    if (scores != null) {
      float[] all = Arrays.copyOf(scores, tokens.size());
      metadata.put("tokenizer.ggml.scores", GgufValue.ofFloats(all));
    }
    specials();
    templates();
  }

  private void bytePairs(Json model) {
    boolean bytes = GgufPreTokenizer.spellsBytes(tokenizer);
    String unknown = model.textOr("unk_token", "");
    model
        .get("vocab")
        .asMap()
        .forEach((token, id) -> put(id.asInt(), token, kind(token, unknown, !bytes)));
    fillGaps();
    List<String> merges = merges(model);
    if (bytes) {
      metadata.put("tokenizer.ggml.model", GgufValue.of("gpt2"));
      metadata.put("tokenizer.ggml.pre", GgufValue.of(GgufPreTokenizer.name(tokenizer, folder)));
      metadata.put("tokenizer.ggml.merges", GgufValue.ofStrings(merges));
      return;
    }
    metadata.put("tokenizer.ggml.model", GgufValue.of("llama"));
    metadata.put("tokenizer.ggml.pre", GgufValue.of("default"));
    scores = scores(merges);
    metadata.put(
        "tokenizer.ggml.add_space_prefix",
        GgufValue.of(GgufPreTokenizer.addsSpacePrefix(tokenizer, settings)));
  }

  private static int kind(String token, String unknown, boolean byteFallback) {
    if (token.equals(unknown)) {
      return UNKNOWN;
    }
    return byteFallback && BYTE_TOKEN.matcher(token).matches() ? BYTE : NORMAL;
  }

  /// Merges as `left right`; newer files hold pairs.
  private static List<String> merges(Json model) {
    List<String> lines = new ArrayList<>();
    for (Json merge : model.get("merges").asList()) {
      if (merge instanceof Json.Arr(List<Json> pair) && pair.size() == 2) {
        lines.add(pair.getFirst().asString() + " " + pair.getLast().asString());
      } else {
        lines.add(merge.asString());
      }
    }
    return lines;
  }

  /// Scores that make the same merges come first: minus the rank of the merge that makes a token.
  private float[] scores(List<String> merges) {
    float[] ranked = new float[tokens.size()];
    Arrays.fill(ranked, -1e6f);
    for (int rank = merges.size() - 1; rank >= 0; rank--) {
      Integer id = ids.get(merges.get(rank).replaceFirst(" ", ""));
      if (id != null) {
        ranked[id] = -rank - 1;
      }
    }
    for (int id = 0; id < ranked.length; id++) {
      ranked[id] = kinds.get(id) == NORMAL ? ranked[id] : 0;
    }
    return ranked;
  }

  private void unigram(Json model) {
    List<Json> vocabulary = model.get("vocab").asList();
    int unknown = model.intOr("unk_id", -1);
    float[] stated = new float[vocabulary.size()];
    for (int id = 0; id < stated.length; id++) {
      List<Json> entry = vocabulary.get(id).asList();
      put(id, entry.getFirst().asString(), id == unknown ? UNKNOWN : NORMAL);
      stated[id] = (float) entry.getLast().asDouble();
    }
    scores = stated;
    metadata.put("tokenizer.ggml.model", GgufValue.of("t5"));
    metadata.put(
        "tokenizer.ggml.add_space_prefix",
        GgufValue.of(GgufPreTokenizer.addsSpacePrefix(tokenizer, settings)));
  }

  private void addedTokens() {
    for (Json added : tokenizer.get("added_tokens").asList()) {
      String content = added.get("content").asString();
      int id = added.get("id").asInt();
      boolean unknown = id < kinds.size() && kinds.get(id) == UNKNOWN;
      int kind = added.booleanOr("special", false) ? CONTROL : USER_DEFINED;
      put(id, content, unknown ? UNKNOWN : kind);
    }
    fillGaps();
  }

  private void put(int id, String token, int kind) {
    if (id < 0 || id >= MAX_TOKENS) {
      throw new ModelFormatException(
          "the tokenizer of '%s' gives a token the id %d".formatted(folder, id));
    }
    while (tokens.size() <= id) {
      tokens.add("");
      kinds.add(0);
    }
    tokens.set(id, token);
    kinds.set(id, kind);
    ids.put(token, id);
  }

  private void fillGaps() {
    for (int id = 0; id < tokens.size(); id++) {
      if (kinds.get(id) == 0) {
        put(id, "[PAD" + id + "]", UNUSED);
      }
    }
  }

  private void specials() {
    Json config = read(folder.resolve("config.json"));
    Json generation = read(folder.resolve("generation_config.json"));
    Map<String, String> keys =
        Map.of("bos", "bos", "eos", "eos", "unk", "unknown", "pad", "padding");
    for (Map.Entry<String, String> key : keys.entrySet()) {
      Integer id = specialId(key.getKey(), generation, config);
      if (id != null && id >= 0 && id < tokens.size()) {
        metadata.put("tokenizer.ggml." + key.getValue() + "_token_id", GgufValue.of(id));
      }
    }
    for (String flag : List.of("add_bos_token", "add_eos_token")) {
      if (settings.has(flag)) {
        metadata.put("tokenizer.ggml." + flag, GgufValue.of(settings.get(flag).asBoolean()));
      }
    }
    if (!settings.has("add_bos_token")) {
      boolean frames = tokenizer.get("post_processor").toText().contains("bos");
      metadata.put("tokenizer.ggml.add_bos_token", GgufValue.of(frames || beginsWithBos()));
    }
  }

  /// Whether the post-processor's template for one text begins with a special token.
  private boolean beginsWithBos() {
    Json processor = tokenizer.get("post_processor");
    List<Json> all = new ArrayList<>(processor.get("processors").asList());
    all.add(processor);
    for (Json one : all) {
      List<Json> single = one.get("single").asList();
      if (!single.isEmpty() && single.getFirst().has("SpecialToken")) {
        return true;
      }
    }
    return false;
  }

  private @Nullable Integer specialId(String name, Json generation, Json config) {
    Json token = settings.get(name + "_token");
    String text = token instanceof Json.Obj ? token.textOr("content", "") : "";
    if (token instanceof Json.Str(String plain)) {
      text = plain;
    }
    Integer id = ids.get(text);
    if (id != null) {
      return id;
    }
    for (Json source : List.of(generation, config)) {
      Json value = source.get(name + "_token_id");
      if (value instanceof Json.Arr(List<Json> several) && !several.isEmpty()) {
        return several.getFirst().asInt();
      }
      if (value instanceof Json.Int) {
        return value.asInt();
      }
    }
    return null;
  }

  private void templates() {
    Path separate = folder.resolve("chat_template.jinja");
    Json stated = settings.get("chat_template");
    try {
      if (Files.isRegularFile(separate)) {
        metadata.put("tokenizer.chat_template", GgufValue.of(Files.readString(separate)));
      } else if (stated instanceof Json.Str(String text)) {
        metadata.put("tokenizer.chat_template", GgufValue.of(text));
      }
    } catch (IOException e) {
      throw new ModelFormatException("cannot read '%s': %s".formatted(separate, e.getMessage()), e);
    }
    if (stated instanceof Json.Arr(List<Json> several)) {
      for (Json one : several) {
        String name = one.textOr("name", "default");
        String key = "tokenizer.chat_template" + (name.equals("default") ? "" : "." + name);
        metadata.put(key, GgufValue.of(one.textOr("template", "")));
      }
    }
  }
}
