package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Answers that must have a form: JSON, patterns, choices and tool calls, of a model that knows
/// none of them.
@Timeout(180)
final class StructuredTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String PLAIN = "/v1/completions";
  private static final String ASK = "\"messages\":[{\"role\":\"user\",\"content\":\"Tell me.\"}]";
  private static final String SCHEMA =
      "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":12},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":99}},\"required\":[\"name\",\"age\"],\"additionalProperties\":false}";
  private static final String TOOLS =
      "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"meet\",\"description\":\"meets\",\"parameters\":"
          + SCHEMA
          + "}},{\"type\":\"function\",\"function\":{\"name\":\"sum\",\"parameters\":{\"type\":\"object\",\"properties\":{\"terms\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/term\"},\"minItems\":1,\"maxItems\":3}},\"required\":[\"terms\"],\"additionalProperties\":false,\"$defs\":{\"term\":{\"type\":\"integer\",\"maximum\":9,\"minimum\":1}}}}}]";

  private static Stories stories;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  private static String chat(int seed, String more) {
    return "{" + ASK + ",\"temperature\":1.5,\"max_tokens\":96,\"seed\":" + seed + more + "}";
  }

  private static void checkPerson(JsonNode person) {
    assertThat(person.propertyNames()).containsExactlyInAnyOrder("name", "age");
    assertThat(person.get("name").stringValue().codePoints().count()).isLessThanOrEqualTo(12);
    assertThat(person.get("age").intValue()).isBetween(0, 99);
  }

  private static void checkCall(String name, String arguments) {
    JsonNode parsed = Stories.parse(arguments);
    if (name.equals("meet")) {
      checkPerson(parsed);
    } else {
      assertThat(name).isEqualTo("sum");
      assertThat(parsed.get("terms")).isNotEmpty();
      parsed.get("terms").forEach(term -> assertThat(term.intValue()).isBetween(1, 9));
    }
  }

  @Test
  void jsonSchema_hot_isAlwaysValid() throws Exception {
    String format =
        ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"p\",\"strict\":true,\"schema\":"
            + SCHEMA
            + "}}";
    JsonNode answer = stories.json(CHAT, chat(1, ",\"n\":8" + format));

    assertThat(answer.get("choices")).hasSize(8);
    for (JsonNode choice : answer.get("choices")) {
      checkPerson(Stories.parse(choice.at("/message/content").stringValue()));
      assertThat(choice.get("finish_reason").stringValue()).isEqualTo("stop");
    }
  }

  @Test
  void jsonObject_hot_isAnObjectWithinTheLimit() throws Exception {
    for (int seed = 0; seed < 4; seed++) {
      JsonNode answer =
          stories.json(CHAT, chat(seed, ",\"response_format\":{\"type\":\"json_object\"}"));
      assertThat(Stories.parse(answer.at("/choices/0/message/content").stringValue()).isObject())
          .isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '!',
      value = {
        "\"guided_choice\":[\"red\",\"green\"]!red!green",
        "\"guided_regex\":\"(red|green){1}\"!red!green",
        "\"structured_outputs\":{\"choice\":[\"red\",\"green\"]}!red!green",
        "\"structured_outputs\":{\"regex\":\"red|green\"}!red!green",
        "\"guided_json\":{\"enum\":[1,2]}!1!2",
        "\"guided_json\":\"{\\\"enum\\\":[1,2]}\"!1!2"
      })
  void guided_givesOneOfTheTexts(String field, String one, String other) throws Exception {
    JsonNode answer =
        stories.json(PLAIN, "{\"prompt\":\"My colour is\",\"temperature\":1.5," + field + "}");

    assertThat(answer.at("/choices/0/text").stringValue()).isIn(one, other);
    assertThat(answer.at("/choices/0/finish_reason").stringValue()).isEqualTo("stop");
  }

  @Test
  void toolsRequired_hot_callValidly_wholeAndStreamed() throws Exception {
    for (int seed = 0; seed < 6; seed++) {
      String required = "," + TOOLS + ",\"tool_choice\":\"required\"";
      JsonNode answer = stories.json(CHAT, chat(seed, required));
      JsonNode message = answer.at("/choices/0/message");
      List<String> calls = new ArrayList<>();

      assertThat(answer.at("/choices/0/finish_reason").stringValue()).isEqualTo("tool_calls");
      assertThat(message.get("content").isNull()).isTrue();
      for (JsonNode call : message.get("tool_calls")) {
        assertThat(call.get("id").stringValue()).startsWith("call_");
        assertThat(call.get("type").stringValue()).isEqualTo("function");
        String name = call.at("/function/name").stringValue();
        checkCall(name, call.at("/function/arguments").stringValue());
        calls.add(name + call.at("/function/arguments").stringValue());
      }
      assertThat(calls).isNotEmpty();
      assertThat(streamed(chat(seed, required + ",\"stream\":true"))).isEqualTo(calls);
    }
  }

  /// The calls of a stream, put together as clients do.
  private static List<String> streamed(String body) throws Exception {
    List<String> calls = new ArrayList<>();
    String finish = "";
    for (String event : stories.post(CHAT, body).body().split("\n\n", -1)) {
      if (!event.startsWith("data: {")) {
        continue;
      }
      JsonNode choice = Stories.parse(event.substring(6)).at("/choices/0");
      finish = choice.path("finish_reason").asString(finish);
      for (JsonNode call : choice.at("/delta/tool_calls")) {
        int index = call.get("index").intValue();
        JsonNode function = call.get("function");
        if (function.has("name")) {
          assertThat(index).isEqualTo(calls.size());
          calls.add(function.get("name").stringValue());
        }
        calls.set(index, calls.get(index) + function.path("arguments").asString(""));
      }
    }
    assertThat(finish).isEqualTo("tool_calls");
    return calls;
  }

  @Test
  void toolNamed_callsThatOne() throws Exception {
    for (int seed = 0; seed < 4; seed++) {
      JsonNode answer =
          stories.json(
              CHAT,
              chat(
                  seed,
                  ","
                      + TOOLS
                      + ",\"parallel_tool_calls\":false,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"sum\"}}"));
      JsonNode calls = answer.at("/choices/0/message/tool_calls");

      assertThat(calls).hasSize(1);
      assertThat(calls.at("/0/function/name").stringValue()).isEqualTo("sum");
      checkCall("sum", calls.at("/0/function/arguments").stringValue());
    }
  }

  @Test
  void functionNamed_answersInTheOlderForm() throws Exception {
    JsonNode answer =
        stories.json(
            CHAT,
            chat(
                1,
                ",\"functions\":[{\"name\":\"meet\",\"parameters\":"
                    + SCHEMA
                    + "}],\"function_call\":{\"name\":\"meet\"}"));
    JsonNode call = answer.at("/choices/0/message/function_call");

    assertThat(answer.at("/choices/0/finish_reason").stringValue()).isEqualTo("function_call");
    checkCall(call.get("name").stringValue(), call.get("arguments").stringValue());
  }

  @Test
  void toolsAuto_withAFormat_giveTheFormOrACall() throws Exception {
    String format =
        ","
            + TOOLS
            + ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
            + SCHEMA
            + "}}";
    for (int seed = 0; seed < 4; seed++) {
      JsonNode choice = stories.json(CHAT, chat(seed, format)).at("/choices/0");
      if (choice.get("finish_reason").stringValue().equals("tool_calls")) {
        JsonNode function = choice.at("/message/tool_calls/0/function");
        checkCall(function.get("name").stringValue(), function.get("arguments").stringValue());
      } else {
        checkPerson(Stories.parse(choice.at("/message/content").stringValue()));
      }
    }
  }

  @Test
  void anthropicAny_usesATool() throws Exception {
    JsonNode answer =
        stories.json(
            "/v1/messages",
            "{"
                + ASK
                + ",\"max_tokens\":96,\"temperature\":1,\"seed\":2,\"tools\":[{\"name\":\"meet\",\"input_schema\":"
                + SCHEMA
                + "}],\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}");

    assertThat(answer.get("stop_reason").stringValue()).isEqualTo("tool_use");
    assertThat(answer.at("/content/0/type").stringValue()).isEqualTo("tool_use");
    checkPerson(answer.at("/content/0/input"));
  }

  @Test
  void responses_callAndFormat() throws Exception {
    String head = "{\"input\":\"Tell me.\",\"max_output_tokens\":96,\"temperature\":1,\"seed\":2,";
    JsonNode call =
        stories.json(
            "/v1/responses",
            head
                + "\"tools\":[{\"type\":\"function\",\"name\":\"meet\",\"strict\":true,\"parameters\":"
                + SCHEMA
                + "}],\"tool_choice\":{\"type\":\"function\",\"name\":\"meet\"}}");
    JsonNode json =
        stories.json(
            "/v1/responses",
            head
                + "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"p\",\"schema\":"
                + SCHEMA
                + "}}}");

    assertThat(call.get("status").stringValue()).isEqualTo("completed");
    assertThat(call.at("/output/0/type").stringValue()).isEqualTo("function_call");
    checkCall("meet", call.at("/output/0/arguments").stringValue());
    checkPerson(Stories.parse(json.at("/output/0/content/0/text").stringValue()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"properties\":7}",
        "{\"type\":\"banana\"}",
        "{\"type\":[]}",
        "{\"$ref\":\"#/nowhere\"}",
        "{\"$ref\":\"#\"}",
        "{\"$ref\":\"https://elsewhere/x\"}",
        "{\"$ref\":7}",
        "{\"required\":\"a\"}",
        "{\"enum\":[]}",
        "{\"enum\":7}",
        "{\"pattern\":\"(\"}",
        "{\"type\":\"string\",\"minLength\":-1}",
        "{\"type\":\"string\",\"minLength\":1e99}",
        "{\"type\":\"integer\",\"minimum\":5,\"maximum\":1}",
        "{\"type\":\"array\",\"minItems\":1000000000,\"items\":{\"type\":\"object\"}}",
        "{\"allOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
        "{\"properties\":{\"$ref\":{\"type\":\"string\"}},\"type\":\"object\"}",
        "{\"description\":\"\\ud800\"}",
        "{}"
      })
  void schema_ofAnyKind_isNoServerError(String schema) throws Exception {
    String function = "\"function\":{\"name\":\"f\",\"parameters\":" + schema + "}";
    String tools = ",\"tools\":[{\"type\":\"function\"," + function + "}]";
    String format =
        ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
            + schema
            + "}}";
    for (String more :
        List.of(tools, tools + ",\"tool_choice\":\"required\"", format, format + tools)) {
      String body = "{" + ASK + ",\"temperature\":1,\"max_tokens\":24,\"seed\":1" + more + "}";
      HttpResponse<String> response = stories.post(CHAT, body);

      assertThat(response.statusCode()).as(more + response.body()).isLessThan(500);
    }
  }

  private static JsonNode refused(String route, String body) throws Exception {
    HttpResponse<String> response = stories.post(route, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
    return Stories.parse(response.body()).get("error");
  }

  @Test
  void keyword_thatCannotBeGuaranteed_isNamed() throws Exception {
    String schema = "{\"type\":\"object\",\"if\":{\"required\":[\"a\"]},\"then\":{}}";
    JsonNode format =
        refused(
            CHAT,
            chat(
                0,
                ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
                    + schema
                    + "}}"));
    JsonNode tool =
        refused(
            CHAT,
            chat(
                0,
                ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,\"parameters\":"
                    + schema
                    + "}}]"));

    assertThat(format.get("message").stringValue()).contains("\"if\"");
    assertThat(format.get("param").stringValue()).isEqualTo("response_format");
    assertThat(tool.get("message").stringValue()).contains("\"if\"");
    assertThat(tool.get("param").stringValue()).isEqualTo("tools");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"response_format\":{\"type\":\"yaml\"}",
        "\"response_format\":{\"type\":\"json_schema\"}",
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":7}}",
        "\"response_format\":\"json\"",
        "\"guided_grammar\":\"root ::= x\"",
        "\"structured_outputs\":{\"grammar\":\"x\"}",
        "\"structured_outputs\":{}",
        "\"guided_regex\":\"(\"",
        "\"guided_choice\":[]",
        "\"guided_json\":\"{\"",
        "\"guided_regex\":\"a\",\"guided_choice\":[\"a\"]",
        "\"tool_choice\":\"required\"",
        "\"tool_choice\":\"maybe\"",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]",
        "\"tools\":[{\"type\":\"retrieval\"}]",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}"
      })
  void form_wrong_is400WithItsField(String field) throws Exception {
    JsonNode error = refused(CHAT, chat(0, "," + field));

    assertThat(error.get("param").stringValue()).isNotBlank();
    assertThat(field).contains(error.get("param").stringValue());
  }
}
