package io.kvasir.server;

import io.kvasir.engine.SamplingOptions;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// What chat and completion requests have in common.
///
/// @param maxTokens most tokens of an answer; 0 for the room that is left
/// @param seeded whether the client chose the seed
/// @param stops strings that end the answer
/// @param stopTokens ids that end the answer
/// @param n answers per prompt
/// @param includeUsage whether a stream ends with a usage chunk
/// @param continuousUsage whether every chunk of a stream tells the usage so far
record Parameters(
    int maxTokens,
    SamplingOptions sampling,
    boolean seeded,
    List<String> stops,
    Set<Integer> stopTokens,
    int n,
    boolean stream,
    boolean includeUsage,
    boolean continuousUsage,
    String salt) {

  private static final int MOST_STOPS = 64;
  private static final int LONGEST_STOP = 1_000;
  private static final int MOST_ANSWERS = 128;
  private static final int MOST_BIASES = 1_024;
  private static final int LONGEST_SALT = 128;
  private static final float ANY = Float.MAX_VALUE;

  /// Known fields whose effect is missing, for every generating route.
  private static final Set<String> MISSING =
      Set.of(
          "min_tokens",
          "include_stop_str_in_output",
          "prompt_logprobs",
          "return_token_ids",
          "guided_json",
          "guided_regex",
          "guided_choice",
          "guided_grammar",
          "structured_outputs",
          "use_beam_search",
          "kv_retention");

  static Parameters read(Fields fields, ServedModel model, int absentMaxTokens) {
    fields.refuse(MISSING);
    checkFormat(fields);
    boolean stream = fields.flag("stream", false);
    Fields options = stream ? fields.object("stream_options") : null;
    boolean continuous = options != null && options.flag("continuous_usage_stats", false);
    boolean usage = options != null && options.flag("include_usage", false);
    int n = fields.integer("n", 1, 1, MOST_ANSWERS);
    if (fields.integer("best_of", n, 1, MOST_ANSWERS) != n) {
      throw ApiException.field("best_of", "'best_of' is supported only when it equals 'n'");
    }
    return new Parameters(
        maxTokens(fields, absentMaxTokens),
        sampling(fields, model.engine().vocabularySize()),
        fields.has("seed"),
        stops(fields),
        stopTokens(fields, model),
        n,
        stream,
        usage,
        continuous,
        salt(fields));
  }

  private static void checkFormat(Fields fields) {
    Fields format = fields.object("response_format");
    if (format != null && !"text".equals(format.text("type"))) {
      throw ApiException.unsupported("response_format");
    }
  }

  private static int maxTokens(Fields fields, int absent) {
    int older = fields.integer("max_tokens", absent, 1, Integer.MAX_VALUE);
    return fields.integer("max_completion_tokens", older, 1, Integer.MAX_VALUE);
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

  private static List<String> stops(Fields fields) {
    List<String> stops = fields.texts("stop", MOST_STOPS);
    for (String stop : stops) {
      if (stop.isEmpty() || stop.length() > LONGEST_STOP) {
        throw ApiException.field(
            "stop",
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
    return salt;
  }

  /// How the answer `index` of a prompt is sampled: each has a seed of its own.
  SamplingOptions sampling(int index) {
    return sampling.withSeed(sampling.seed() + index);
  }
}
