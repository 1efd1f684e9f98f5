package io.kvasir.cli.load;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a server tells about itself before it is measured.
///
/// @param model the name to ask for
/// @param context most tokens of prompt and answer; 0 where it does not say
/// @param pool ids to make prompts of
public record ServerFacts(String model, int context, TokenPool pool) {
  private static final long TIMEOUT_NANOS = 30_000_000_000L;
  private static final String SAMPLE =
      """
      Once upon a time there was a little fox who lived under a big tree by the river. Every morning \
      she went out to look for something to eat, and every evening she came home and told her \
      children what she had seen. One day a boy and his sister walked along the water. They were \
      looking for their dog, who had run away after a rabbit. "Have you seen our dog?" asked the \
      girl. The fox thought about it, because foxes do not like dogs very much. But the children \
      looked so sad that she said: "He is behind the hill, near the old house with the red door." \
      """;

  /// Asks the server.
  ///
  /// @param model the name to ask for; null for the first that the server offers
  /// @throws LoadException where it cannot be reached or offers no model
  static ServerFacts ask(LinkPool links, @Nullable String model) {
    try {
      String body = links.fetch("GET", "/v1/models", null, TIMEOUT_NANOS);
      if (body == null && model == null) {
        throw new LoadException(
            links.target() + "/v1/models does not answer with 200; check URL and --api-key");
      }
      Json found = body == null ? Json.Null.NULL : choose(Json.parse(body), model);
      String name = model == null ? found.textOr("id", "") : model;
      if (name.isEmpty()) {
        throw new LoadException(links.target() + " offers no model; name one with --model");
      }
      return new ServerFacts(name, found.intOr("max_model_len", 0), pool(links));
    } catch (IOException e) {
      throw new LoadException(
          "cannot reach %s (%s); is a server running there?"
              .formatted(links.target(), e.getMessage()),
          e);
    } catch (JsonException e) {
      throw new LoadException(links.target() + "/v1/models answers with no JSON", e);
    }
  }

  private static Json choose(Json models, @Nullable String name) {
    List<Json> all = models.get("data").asList();
    for (Json each : all) {
      if (name != null && name.equals(each.stringOr("id", null))) {
        return each;
      }
    }
    return all.isEmpty() || name != null ? Json.Null.NULL : all.getFirst();
  }

  /// The ids of a sample text, where the server tokenizes.
  private static TokenPool pool(LinkPool links) throws IOException {
    String question =
        "{\"prompt\":%s,\"add_special_tokens\":false}".formatted(new Json.Str(SAMPLE).toText());
    byte[] body = question.getBytes(StandardCharsets.UTF_8);
    String answer = links.fetch("POST", "/tokenize", body, TIMEOUT_NANOS);
    if (answer == null) {
      return TokenPool.guessed();
    }
    try {
      List<Json> tokens = Json.parse(answer).get("tokens").asList();
      return new TokenPool(tokens.stream().mapToInt(Json::asInt).toArray());
    } catch (JsonException | IllegalArgumentException e) {
      return TokenPool.guessed();
    }
  }
}
