package io.kvasir.server;

import io.kvasir.engine.SamplingOptions;
import io.kvasir.kvcache.prune.PruneOptions;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// What all generating requests have in common.
///
/// @param maxTokens most tokens of an answer, or [#ROOM]; 0 where only the prompt is looked at
/// @param minTokens least tokens of an answer
/// @param n answers per prompt
/// @param bestOf how many the `n` are chosen from
/// @param salt the cache is shared with requests of equal salt only
/// @param priority lower ones start first
/// @param session the conversation that the answer belongs to, or null
/// @param prune which tokens are dropped from the cache
record Parameters(
    int maxTokens,
    int minTokens,
    int n,
    int bestOf,
    SamplingOptions sampling,
    Stops stops,
    Shown shown,
    String salt,
    int priority,
    @Nullable String session,
    PruneOptions prune) {

  /// As many tokens as the context has room for.
  static final int ROOM = -1;

  private static final int MOST_STOPS = 64;
  private static final int LONGEST_STOP = 1_000;
  private static final int MOST_ANSWERS = 128;
  private static final int MOST_BIASES = 1_024;
  private static final int LONGEST_SALT = 128;
  private static final char[] FORBIDDEN_IN_SALT = {'@', '/', '\\', 0};
  private static final int LONGEST_HINT = 1_024;
  private static final float ANY = Float.MAX_VALUE;

  /// Known fields whose effect is missing, for every generating route.
  private static final Set<String> MISSING =
      Set.of("prompt_logprobs", "use_beam_search", "kv_retention");

  /// Fields without an effect on the answer.
  private static final List<String> HINTS =
      List.of("user", "prompt_cache_key", "prompt_cache_retention", "safety_identifier");

  /// What ends an answer.
  ///
  /// @param texts strings
  /// @param tokens ids
  /// @param isIncluded whether the string that was found belongs to the answer
  record Stops(List<String> texts, Set<Integer> tokens, boolean isIncluded) {
    Stops {
      texts = List.copyOf(texts);
      tokens = Set.copyOf(tokens);
    }
  }

  /// What of an answer is shown, and when.
  ///
  /// @param usageAtEnd whether a stream ends with a usage chunk
  /// @param usageAlways whether every chunk of a stream tells the usage so far
  /// @param tokenIds whether ids are shown beside the text
  /// @param cache whether the cache's part is told
  /// @param scores how many likeliest tokens are told with their probabilities beside the chosen
  ///   one; -1 for no probabilities
  record Shown(
      boolean stream,
      boolean usageAtEnd,
      boolean usageAlways,
      boolean tokenIds,
      boolean cache,
      int scores) {}

  /// Names of fields that differ between routes.
  ///
  /// @param absent how many tokens an answer may have where nothing is said
  /// @param least fewest tokens that may be asked for
  record Names(List<String> maxTokens, int absent, int least, String stop) {
    private static final List<String> OPENAI = List.of("max_tokens", "max_completion_tokens");
    private static final int ABSENT = 16;

    static final Names CHAT = new Names(OPENAI, ROOM, 1, "stop");
    static final Names COMPLETION = new Names(OPENAI, ABSENT, 1, "stop");

    /// For completions that repeat their prompt, which may be all that is wanted.
    static final Names ECHO = new Names(OPENAI, ABSENT, 0, "stop");
  }

  /// Reads them.
  ///
  /// @param cache whether the cache's part is to be told
  static Parameters read(Fields fields, ServedModel model, Names names, boolean cache) {
    fields.refuse(MISSING);
    checkHints(fields);
    int n = fields.integer("n", 1, 1, MOST_ANSWERS);
    int maxTokens = maxTokens(fields, names);
    Shown shown = shown(fields, cache);
    int most = maxTokens == ROOM ? Integer.MAX_VALUE : maxTokens;
    return new Parameters(
        maxTokens,
        fields.integer("min_tokens", 0, 0, most),
        n,
        bestOf(fields, n, shown.stream()),
        sampling(fields, model.engine().vocabularySize()),
        new Stops(
            stops(fields, names.stop()),
            stopTokens(fields, model),
            fields.flag("include_stop_str_in_output", false)),
        shown,
        salt(fields),
        fields.integer("priority", 0, Integer.MIN_VALUE, Integer.MAX_VALUE),
        fields.text("session_id"),
        prune(fields, model));
  }

  private static int bestOf(Fields fields, int n, boolean stream) {
    int bestOf = fields.integer("best_of", n, n, MOST_ANSWERS);
    if (stream && bestOf != n) {
      throw ApiException.field(
          "best_of", "a stream cannot choose among answers; 'best_of' must equal 'n'");
    }
    return bestOf;
  }

  private static Shown shown(Fields fields, boolean cache) {
    boolean stream = fields.flag("stream", false);
    fields.accept("stream_options");
    Fields options = stream ? fields.object("stream_options") : null;
    return new Shown(
        stream,
        options != null && options.flag("include_usage", false),
        options != null && options.flag("continuous_usage_stats", false),
        fields.flag("return_token_ids", false),
        cache,
        -1);
  }

  private static void checkHints(Fields fields) {
    fields.accept("metadata", "store", "service_tier");
    for (String name : HINTS) {
      String hint = fields.text(name);
      if (hint != null && hint.length() > LONGEST_HINT) {
        throw ApiException.field(
            name,
            "'%s' has %d characters; at most %d are allowed"
                .formatted(name, hint.length(), LONGEST_HINT));
      }
    }
  }

  /// The same for a route that gives one answer.
  ///
  /// @throws ApiException where several are wanted
  Parameters single() {
    if (n != 1) {
      throw ApiException.field("n", "this route gives one answer, not %d".formatted(n));
    }
    return this;
  }

  /// The same with scores of the chosen and the `top` likeliest tokens; -1 for none.
  Parameters withScores(int top) {
    Shown more =
        new Shown(
            shown.stream(),
            shown.usageAtEnd(),
            shown.usageAlways(),
            shown.tokenIds(),
            shown.cache(),
            top);
    return new Parameters(
        maxTokens, minTokens, n, bestOf, sampling, stops, more, salt, priority, session, prune);
  }

  /// The same with so many tokens from the start of the prompt kept in any case.
  Parameters pinning(int tokens) {
    return new Parameters(
        maxTokens,
        minTokens,
        n,
        bestOf,
        sampling,
        stops,
        shown,
        salt,
        priority,
        session,
        prune.withPinned(tokens));
  }

  private static PruneOptions prune(Fields fields, ServedModel model) {
    String text = fields.text("prune");
    try {
      return text == null ? model.prune() : PruneOptions.parse(text);
    } catch (IllegalArgumentException e) {
      throw ApiException.field("prune", String.valueOf(e.getMessage()));
    }
  }

  boolean stream() {
    return shown.stream();
  }

  /// Of several names the last that is there counts.
  private static int maxTokens(Fields fields, Names names) {
    int result = names.absent();
    for (String name : names.maxTokens()) {
      result = fields.integer(name, result, names.least(), Integer.MAX_VALUE);
    }
    return result;
  }

  private static SamplingOptions sampling(Fields fields, int vocabulary) {
    int topK = fields.integer("top_k", 0, -1, Integer.MAX_VALUE);
    return new SamplingOptions(
        fields.number("temperature", 1, 0, 100),
        Math.max(topK, 0),
        fields.number("top_p", 1, Float.MIN_VALUE, 1),
        fields.number("min_p", 0, 0, 1),
        fields.wide("seed", ThreadLocalRandom.current().nextLong(), Long.MIN_VALUE, Long.MAX_VALUE),
        new SamplingOptions.Penalties(
            fields.number("repetition_penalty", 1, Float.MIN_VALUE, ANY),
            fields.number("presence_penalty", 0, -ANY, ANY),
            fields.number("frequency_penalty", 0, -ANY, ANY)),
        biases(fields, vocabulary));
  }

  private static Map<Integer, Float> biases(Fields fields, int vocabulary) {
    Fields biases = fields.object("logit_bias");
    if (biases == null) {
      return Map.of();
    }
    if (biases.body().size() > MOST_BIASES) {
      throw ApiException.field(
          "logit_bias", "'logit_bias' has more than %d entries".formatted(MOST_BIASES));
    }
    Map<Integer, Float> result = new HashMap<>();
    for (Map.Entry<String, JsonNode> entry : biases.body().properties()) {
      double value = entry.getValue().isNumber() ? entry.getValue().doubleValue() : Double.NaN;
      if (!(Math.abs(value) <= 100)) {
        throw Fields.wrong("logit_bias", "numbers from -100 to 100", entry.getValue());
      }
      result.put(tokenId(entry.getKey(), vocabulary), (float) value);
    }
    return result;
  }

  private static int tokenId(String text, int vocabulary) {
    int id = text.matches("\\d{1,9}") ? Integer.parseInt(text) : -1;
    if (id < 0 || id >= vocabulary) {
      throw ApiException.field(
          "logit_bias", "'logit_bias' has a key that is no token id of this model");
    }
    return id;
  }

  private static List<String> stops(Fields fields, String name) {
    List<String> stops = fields.texts(name, MOST_STOPS);
    for (String stop : stops) {
      if (stop.isEmpty() || stop.length() > LONGEST_STOP) {
        throw ApiException.field(
            name,
            "a stop string must have 1 to %d characters, not %d"
                .formatted(LONGEST_STOP, stop.length()));
      }
    }
    return stops;
  }

  private static Set<Integer> stopTokens(Fields fields, ServedModel model) {
    Set<Integer> ids = new HashSet<>();
    if (!fields.flag("ignore_eos", false)) {
      ids.addAll(model.stopTokens());
    }
    JsonNode own = fields.get("stop_token_ids");
    if (own != null) {
      for (int id : Fields.tokens("stop_token_ids", own, model.engine().vocabularySize())) {
        ids.add(id);
      }
    }
    return ids;
  }

  private static String salt(Fields fields) {
    @Nullable String salt = fields.text("cache_salt");
    if (salt == null) {
      return "";
    }
    if (salt.isEmpty() || salt.length() > LONGEST_SALT) {
      throw ApiException.field(
          "cache_salt",
          "'cache_salt' must have 1 to %d characters, not %d"
              .formatted(LONGEST_SALT, salt.length()));
    }
    for (char forbidden : FORBIDDEN_IN_SALT) {
      if (salt.indexOf(forbidden) >= 0) {
        throw ApiException.field(
            "cache_salt", "'cache_salt' must not contain @, /, \\ or the character 0");
      }
    }
    return salt;
  }

  /// How the answer `index` of a prompt is sampled: each has a seed of its own.
  SamplingOptions sampling(int index) {
    return sampling.withSeed(sampling.seed() + index);
  }
}
