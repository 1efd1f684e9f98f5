package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// What real clients sent, as `scripts/clients/record.mjs` wrote it down, sent again without them.
/// Each answer must have the status that the client got and at least every value, by path and type,
/// that was there for it to read.
@Timeout(120)
final class TranscriptTest {
  private static final Path FOLDER = Path.of("src/test/resources/io/kvasir/server/transcripts");
  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"openai", "anthropic", "openai-java", "langchain4j", "spring-ai"})
  void replay_ofAClient_hasTheSameStatusAndShape(String client) throws Exception {
    List<String> lines = Files.readAllLines(FOLDER.resolve(client + ".jsonl"));
    Map<String, String> ids = new HashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      replay(client + ".jsonl:" + (i + 1), Stories.parse(lines.get(i)), ids);
    }
    stories.awaitIdle();

    assertThat(lines).isNotEmpty();
    assertThat(stories.engine.cacheStats().heldBlocks()).isZero();
  }

  /// `ids` maps a kept response's recorded id to the one it has now.
  private static void replay(String where, JsonNode line, Map<String, String> ids)
      throws IOException, InterruptedException {
    String path = line.get("path").stringValue();
    String body = line.get("body").stringValue();
    for (Map.Entry<String, String> id : ids.entrySet()) {
      path = path.replace(id.getKey(), id.getValue());
      body = body.replace(id.getKey(), id.getValue());
    }
    HttpRequest request =
        HttpRequest.newBuilder(stories.uri(path))
            .header("Content-Type", "application/json")
            .method(
                line.get("method").stringValue(),
                body.isEmpty()
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofString(body))
            .build();
    HttpResponse<InputStream> answer =
        stories.client.send(request, HttpResponse.BodyHandlers.ofInputStream());
    boolean stream =
        answer.headers().firstValue("Content-Type").orElse("").startsWith("text/event-stream");
    Set<String> shape = new TreeSet<>();
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8))) {
      if (stream) {
        readEvents(reader, line, shape);
      } else {
        JsonNode whole = Stories.parse(reader.readAllAsString());
        collect(whole, "", shape);
        if (line.has("id")) {
          ids.put(line.get("id").stringValue(), whole.get("id").stringValue());
        }
      }
    }

    assertThat(answer.statusCode()).as(where).isEqualTo(line.get("status").intValue());
    assertThat(shape).as(where).containsAll(recorded(line));
  }

  private static Set<String> recorded(JsonNode line) {
    Set<String> shape = new TreeSet<>();
    line.get("shape").forEach(each -> shape.add(each.stringValue()));
    return shape;
  }

  /// To the end, or where the client hung up until everything has come that it saw.
  private static void readEvents(BufferedReader reader, JsonNode line, Set<String> shape)
      throws IOException {
    Set<String> enough = line.get("aborted").booleanValue() ? recorded(line) : Set.of();
    for (String text = reader.readLine(); text != null; text = reader.readLine()) {
      if (text.equals("data: [DONE]")) {
        shape.add("[DONE]");
      } else if (text.startsWith("data: ")) {
        collect(Stories.parse(text.substring(6)), "", shape);
        if (!enough.isEmpty() && shape.containsAll(enough)) {
          return;
        }
      }
    }
  }

  private static void collect(JsonNode value, String path, Set<String> into) {
    if (value.isArray()) {
      into.add(path + ":array");
      value.forEach(each -> collect(each, path + "[]", into));
    } else if (value.isObject()) {
      into.add(path + ":object");
      value.properties().forEach(e -> collect(e.getValue(), path + "." + e.getKey(), into));
    } else if (value.isString()) {
      into.add(path + ":string");
    } else if (value.isNumber()) {
      into.add(path + ":number");
    } else {
      into.add(path + (value.isNull() ? ":null" : ":boolean"));
    }
  }
}
