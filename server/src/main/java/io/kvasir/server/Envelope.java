package io.kvasir.server;

import io.kvasir.engine.Outcome;
import io.kvasir.kvcache.PrefixMiss;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// What whole answers and chunks of chat and completions have around their choices: constant over
/// one request.
///
/// @param created seconds since 1970
/// @param cache whether the cache's part is told
record Envelope(String id, long created, String model, boolean cache) {

  private static final double NANOS = 1e9;

  static Envelope of(String prefix, ServedModel model, boolean cache) {
    return new Envelope(Ids.next(prefix), System.currentTimeMillis() / 1000, model.name(), cache);
  }

  ObjectNode open(String object) {
    ObjectNode node = Wire.object();
    node.put("id", id);
    node.put("object", object);
    node.put("created", created);
    node.put("model", model);
    node.putArray("choices");
    return node;
  }

  /// The word for the end of an answer.
  static String reason(Ending ending) {
    return switch (ending.reason()) {
      case STOP -> "stop";
      case LENGTH -> "length";
      case TOOLS -> "tool_calls";
    };
  }

  static void stopReason(ObjectNode choice, Ending ending) {
    String stop = ending.stop();
    if (stop == null) {
      choice.putNull("stop_reason");
    } else {
      choice.put("stop_reason", stop);
    }
  }

  static void ids(ArrayNode ids, List<Step> steps) {
    for (Step step : steps) {
      if (step.token() != Step.NO_TOKEN) {
        ids.add(step.token());
      }
    }
  }

  /// A chunk as an event, with the usage so far where that is wanted.
  Event chunk(ObjectNode body, Parameters parameters, Supplier<Usage> usage) {
    if (parameters.shown().usageAlways()) {
      body.set("usage", usage.get().json());
    }
    return new Event(body);
  }

  /// The chunk that tells what a stream used, where that is wanted.
  List<Event> usageChunk(String object, Parameters parameters, Supplier<Usage> usage) {
    if (!parameters.shown().usageAtEnd()) {
      return List.of();
    }
    ObjectNode body = open(object);
    body.set("usage", usage.get().json());
    return List.of(new Event(body));
  }

  List<Event> error(ApiException error) {
    return List.of(new Event(Wire.error(new ApiException(error.status(), error.getMessage()))));
  }

  /// Adds what the cache did for the first answer to each prompt, and why the first of them was not
  /// all cached.
  ///
  /// @param n answers per prompt
  void cache(ObjectNode body, List<AnswerForm.Whole> answers, int n) {
    int cached = 0;
    int prompt = 0;
    for (int i = 0; i < answers.size(); i += n) {
      Outcome outcome = answers.get(i).ending().outcome();
      cached += outcome.cachedTokens();
      prompt += outcome.promptTokens();
    }
    putCache(body, cached, prompt, answers.getFirst().ending().outcome().miss());
  }

  void cache(ObjectNode body, Ending ending) {
    Outcome outcome = ending.outcome();
    putCache(body, outcome.cachedTokens(), outcome.promptTokens(), outcome.miss());
  }

  private void putCache(ObjectNode body, int cached, int prompt, PrefixMiss miss) {
    if (cache) {
      ObjectNode node = body.putObject("kvasir");
      node.putObject("hit").put("hbm", cached).put("dram", 0).put("disk", 0).put("peer", 0);
      node.put("computed", prompt - cached);
      // That others have it under another salt is nobody's business.
      PrefixMiss.Reason reason =
          miss.reason() == PrefixMiss.Reason.SALT ? PrefixMiss.Reason.NEW : miss.reason();
      node.put("miss_reason", reason.name().toLowerCase(Locale.ROOT));
      if (miss.reason() == PrefixMiss.Reason.EVICTED) {
        node.put("evicted_age_s", miss.evictedNanosAgo() / NANOS);
      } else {
        node.putNull("evicted_age_s");
      }
    }
  }
}
