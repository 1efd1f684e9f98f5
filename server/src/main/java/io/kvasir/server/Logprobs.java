package io.kvasir.server;

import io.kvasir.engine.TokenScores;
import io.kvasir.model.tokenizer.Detokenizer;
import io.kvasir.model.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Log-probabilities as the routes write them.
final class Logprobs {
  /// What JSON has instead of minus infinity, as OpenAI's routes write it.
  private static final float LEAST = -9999;

  private final Tokenizer tokenizer;

  Logprobs(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  private String text(int token) {
    return new String(tokenizer.bytes(token), StandardCharsets.UTF_8);
  }

  /// Chat's form of some steps.
  ObjectNode chat(List<Step> steps) {
    ObjectNode node = Wire.object();
    ArrayNode content = node.putArray("content");
    for (Step step : steps) {
      TokenScores scores = step.scores();
      if (scores == null) {
        continue;
      }
      ObjectNode entry = entry(content, step.token(), scores.logProbability());
      ArrayNode top = entry.putArray("top_logprobs");
      for (int i = 0; i < scores.ids().length; i++) {
        entry(top, scores.ids()[i], scores.logProbabilities()[i]);
      }
    }
    node.putNull("refusal");
    return node;
  }

  private ObjectNode entry(ArrayNode list, int token, float logProbability) {
    ObjectNode entry = list.addObject();
    entry.put("token", text(token));
    entry.put("logprob", Math.max(LEAST, logProbability));
    ArrayNode bytes = entry.putArray("bytes");
    for (byte b : tokenizer.bytes(token)) {
      bytes.add(b & 0xff);
    }
    return entry;
  }

  /// Parallel arrays about the tokens of one choice of a completion.
  final class Arrays {
    private final ObjectNode node = Wire.object();
    private final ArrayNode tokens = node.putArray("tokens");
    private final ArrayNode values = node.putArray("token_logprobs");
    private final ArrayNode top = node.putArray("top_logprobs");
    private final ArrayNode offsets = node.putArray("text_offset");
    private final Offset offset;

    Arrays(Offset offset) {
      this.offset = offset;
    }

    /// Adds the tokens of a prompt; the first has no probability.
    void prompt(int[] prompt, List<TokenScores> scores) {
      for (int i = 0; i < prompt.length; i++) {
        add(prompt[i], i == 0 || i > scores.size() ? null : scores.get(i - 1));
      }
    }

    void steps(List<Step> steps) {
      for (Step step : steps) {
        if (step.token() != Step.NO_TOKEN) {
          add(step.token(), step.scores());
        }
      }
    }

    private void add(int token, @Nullable TokenScores scores) {
      tokens.add(text(token));
      offsets.add(offset.next(token));
      if (scores == null) {
        values.addNull();
        top.addNull();
        return;
      }
      values.add(Math.max(LEAST, scores.logProbability()));
      ObjectNode likeliest = top.addObject();
      for (int i = 0; i < scores.ids().length; i++) {
        likeliest.put(text(scores.ids()[i]), Math.max(LEAST, scores.logProbabilities()[i]));
      }
      likeliest.put(text(token), Math.max(LEAST, scores.logProbability()));
    }

    JsonNode json() {
      return node;
    }
  }

  /// Where the tokens of one choice begin in its text, in UTF-16 units.
  static final class Offset {
    private final Detokenizer detokenizer;
    private int at;

    Offset(Tokenizer tokenizer) {
      this.detokenizer = new Detokenizer(tokenizer, true);
    }

    private int next(int token) {
      int begin = at;
      at += detokenizer.append(token).length();
      return begin;
    }
  }
}
