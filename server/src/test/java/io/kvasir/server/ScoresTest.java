package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Log-probabilities, answers chosen by them, and embeddings over HTTP.
@Timeout(120)
final class ScoresTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String PLAIN = "/v1/completions";
  private static final String EMBED = "/v1/embeddings";

  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  private static String plain(String more) {
    return "{\"prompt\":\"Once upon a time\",\"temperature\":0" + more + "}";
  }

  @Test
  void echo_scoresPromptAndAnswer_andDoesNotReadTheCache() throws Exception {
    String echo = ",\"max_tokens\":4,\"logprobs\":1,\"echo\":true";
    stories.json(PLAIN, plain(echo));
    JsonNode answer = stories.json(PLAIN, plain(echo));
    JsonNode scores = answer.at("/choices/0/logprobs");
    int prompt = answer.at("/usage/prompt_tokens").intValue();

    assertThat(answer.at("/choices/0/text").stringValue()).startsWith("Once upon a time");
    assertThat(scores.get("tokens")).hasSize(prompt + 4);
    assertThat(scores.get("token_logprobs")).hasSize(prompt + 4);
    assertThat(scores.get("top_logprobs")).hasSize(prompt + 4);
    assertThat(scores.at("/token_logprobs/0").isNull()).isTrue();
    assertThat(scores.at("/top_logprobs/0").isNull()).isTrue();
    assertThat(answer.at("/usage/prompt_tokens_details/cached_tokens").intValue()).isZero();
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < prompt + 4; i++) {
      assertThat(scores.at("/text_offset/" + i).intValue()).isEqualTo(text.length());
      String token = scores.at("/tokens/" + i).stringValue();
      text.append(token);
      if (i > 0) {
        float chosen = scores.at("/token_logprobs/" + i).floatValue();
        assertThat(chosen).isNegative();
        assertThat(scores.at("/top_logprobs/" + i).get(token).floatValue()).isEqualTo(chosen);
      }
    }
    assertThat(text.toString()).isEqualTo(answer.at("/choices/0/text").stringValue());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void echo_ofTokenIdLists_asForLogLikelihoods(int tokens) throws Exception {
    String ids = stories.json("/tokenize", plain("")).get("tokens").toString();
    JsonNode answer =
        stories.json(
            PLAIN,
            "{\"prompt\":[%s,%s],\"max_tokens\":%d,\"logprobs\":1,\"echo\":true,\"temperature\":0,\"seed\":1}"
                .formatted(ids, ids, tokens));

    assertThat(answer.get("choices")).hasSize(2);
    JsonNode first = answer.at("/choices/0/logprobs");
    assertThat(first.get("tokens")).hasSize(4 + tokens);
    assertThat(answer.at("/choices/1/logprobs")).isEqualTo(first);
    assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(2 * tokens);
    assertThat(answer.at("/choices/0/finish_reason").stringValue()).isEqualTo("length");
  }

  @Test
  void chatScores_ofGreedyAnswer_areTheLikeliest() throws Exception {
    JsonNode answer =
        stories.json(
            CHAT,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"temperature\":0,\"max_tokens\":5,\"logprobs\":true,\"top_logprobs\":3}");
    JsonNode content = answer.at("/choices/0/logprobs/content");
    StringBuilder text = new StringBuilder();

    assertThat(content).hasSize(5);
    for (JsonNode entry : content) {
      assertThat(entry.get("top_logprobs")).hasSize(3);
      assertThat(entry.at("/top_logprobs/0/token")).isEqualTo(entry.get("token"));
      assertThat(entry.at("/top_logprobs/0/logprob")).isEqualTo(entry.get("logprob"));
      double total = 0;
      for (JsonNode top : entry.get("top_logprobs")) {
        total += Math.exp(top.get("logprob").doubleValue());
      }
      assertThat(total).isBetween(0.0, 1.0001);
      byte[] bytes = new byte[entry.get("bytes").size()];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) entry.get("bytes").get(i).intValue();
      }
      text.append(new String(bytes, java.nio.charset.StandardCharsets.UTF_8));
    }
    assertThat(text.toString()).isEqualTo(answer.at("/choices/0/message/content").stringValue());
  }

  @Test
  void topLogprobs_withoutLogprobs_isRefused() throws Exception {
    var response =
        stories.post(
            CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"top_logprobs\":3}");

    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(Stories.parse(response.body()).at("/error/param").stringValue())
        .isEqualTo("top_logprobs");
  }

  @Test
  void bestOf_choosesTheLikeliestOfThem() throws Exception {
    String hot = ",\"temperature\":1,\"seed\":3,\"max_tokens\":6,\"logprobs\":0";
    String body = "{\"prompt\":\"Once upon a time\"" + hot;
    JsonNode all = stories.json(PLAIN, body + ",\"n\":4}");
    JsonNode best = stories.json(PLAIN, body + ",\"best_of\":4}");
    double highest = Double.NEGATIVE_INFINITY;
    String text = "";
    for (JsonNode choice : all.get("choices")) {
      double sum = 0;
      for (JsonNode value : choice.at("/logprobs/token_logprobs")) {
        sum += value.doubleValue() / 6;
      }
      if (sum > highest) {
        highest = sum;
        text = choice.get("text").stringValue();
      }
    }

    assertThat(best.get("choices")).hasSize(1);
    assertThat(best.at("/choices/0/text").stringValue()).isEqualTo(text);
    assertThat(best.at("/usage/completion_tokens").intValue()).isEqualTo(24);
    assertThat(stories.post(PLAIN, body + ",\"best_of\":4,\"stream\":true}").statusCode())
        .isEqualTo(400);
  }

  @Test
  void minTokens_holdsTheEndBack() throws Exception {
    String stop = stories.json("/tokenize", "{\"prompt\":\" he\"}").at("/tokens/0").toString();
    String more = ",\"max_tokens\":8,\"stop_token_ids\":[" + stop + "]";
    JsonNode early = stories.json(PLAIN, plain(more));
    JsonNode late = stories.json(PLAIN, plain(more + ",\"min_tokens\":8"));

    assertThat(early.at("/usage/completion_tokens").intValue()).isLessThan(8);
    assertThat(late.at("/usage/completion_tokens").intValue()).isEqualTo(8);
  }

  @Test
  void embeddings_ofTextAndItsIds_areTheSameUnitVector() throws Exception {
    String ids = stories.json("/tokenize", "{\"prompt\":\"a red fox\"}").get("tokens").toString();
    JsonNode answer =
        stories.json(EMBED, "{\"input\":[\"a red fox\",\"the deep sea\"],\"user\":\"x\"}");
    JsonNode byIds = stories.json(EMBED, "{\"input\":" + ids + ",\"encoding_format\":\"base64\"}");
    JsonNode first = answer.at("/data/0/embedding");
    double norm = 0;
    double other = 0;
    float[] floats = new float[first.size()];
    ByteBuffer.wrap(Base64.getDecoder().decode(byIds.at("/data/0/embedding").stringValue()))
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(floats);
    for (int i = 0; i < floats.length; i++) {
      double value = first.get(i).doubleValue();
      norm += value * value;
      other += value * answer.at("/data/1/embedding/" + i).doubleValue();
      assertThat(floats[i]).isEqualTo((float) value, within(1e-6f));
    }

    assertThat(norm).isEqualTo(1, within(1e-4));
    assertThat(other).isLessThan(0.999);
    assertThat(answer.at("/data/1/index").intValue()).isEqualTo(1);
    assertThat(answer.at("/usage/prompt_tokens").intValue()).isGreaterThan(4);
    assertThat(answer.at("/usage/total_tokens")).isEqualTo(answer.at("/usage/prompt_tokens"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"input\":\"\"}",
        "{\"input\":[]}",
        "{\"input\":[[]]}",
        "{\"input\":[1,-1]}",
        "{\"input\":{\"a\":1}}",
        "{\"input\":\"a\",\"dimensions\":7}",
        "{\"input\":\"a\",\"encoding_format\":\"int8\"}"
      })
  void embeddings_wrongInput_is400(String body) throws Exception {
    assertThat(stories.post(EMBED, body).statusCode()).isEqualTo(400);
  }
}
