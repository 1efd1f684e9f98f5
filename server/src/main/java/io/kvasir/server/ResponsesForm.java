package io.kvasir.server;

import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Answers in the form of OpenAI's Responses: a list of output items, and streams of named events.
///
/// @param created seconds since 1970
/// @param echo fields of the request that every response repeats
/// @param ended is told each answer that ended well
record ResponsesForm(String id, long created, ObjectNode echo, Ended ended) implements AnswerForm {

  /// Is told a response that is complete.
  interface Ended {
    void accept(Reply reply, ObjectNode response);
  }

  @Override
  public ObjectNode whole(List<Whole> answers, Usage usage) {
    Whole answer = answers.getFirst();
    ArrayNode output = Wire.object().putArray("output");
    items(output, answer.reply());
    ObjectNode response = response(output, answer.ending(), usage);
    ended.accept(answer.reply(), response);
    return response;
  }

  private static void items(ArrayNode output, Reply reply) {
    if (!reply.reasoning().isEmpty()) {
      output.add(reasoning(Ids.next("rs_"), reply.reasoning()));
    }
    if (!reply.content().isEmpty() || reply.calls().isEmpty()) {
      output.add(message(Ids.next("msg_"), reply.content()));
    }
    for (Reply.Call call : reply.calls()) {
      output.add(call(Ids.next("fc_"), call.id(), call.name(), call.arguments().toString()));
    }
  }

  static ObjectNode message(String id, String text) {
    ObjectNode item = item("message", id, "completed").put("role", "assistant");
    item.putArray("content").add(text(text));
    return item;
  }

  static ObjectNode text(String text) {
    ObjectNode part = Wire.object().put("type", "output_text").put("text", text);
    part.putArray("annotations");
    part.putArray("logprobs");
    return part;
  }

  static ObjectNode reasoning(String id, String text) {
    ObjectNode item = item("reasoning", id, "completed");
    item.putArray("summary");
    item.putArray("content").add(thought(text));
    return item;
  }

  static ObjectNode thought(String text) {
    return Wire.object().put("type", "reasoning_text").put("text", text);
  }

  static ObjectNode call(String id, String callId, String name, String arguments) {
    return item("function_call", id, "completed")
        .put("call_id", callId)
        .put("name", name)
        .put("arguments", arguments);
  }

  static ObjectNode item(String type, String id, String status) {
    return Wire.object().put("type", type).put("id", id).put("status", status);
  }

  /// The response with its output.
  ///
  /// @param ending null while the answer comes
  ObjectNode response(ArrayNode output, @Nullable Ending ending, @Nullable Usage usage) {
    boolean cut = ending != null && ending.reason() == Ending.Reason.LENGTH;
    ObjectNode node = Wire.object();
    node.put("id", id);
    node.put("object", "response");
    node.put("created_at", created);
    node.put("status", ending == null ? "in_progress" : cut ? "incomplete" : "completed");
    node.putNull("error");
    if (cut) {
      node.putObject("incomplete_details").put("reason", "max_output_tokens");
    } else {
      node.putNull("incomplete_details");
    }
    node.setAll(echo);
    node.set("output", output);
    if (usage == null) {
      node.putNull("usage");
    } else {
      node.set("usage", usage(usage));
    }
    return node;
  }

  /// The response to a request that failed after its stream began.
  ObjectNode failed(ArrayNode output, ApiException error) {
    ObjectNode node = response(output, null, null);
    node.put("status", "failed");
    node.putObject("error").put("code", "server_error").put("message", error.getMessage());
    return node;
  }

  private static ObjectNode usage(Usage usage) {
    ObjectNode node = Wire.object();
    node.put("input_tokens", usage.prompt());
    node.putObject("input_tokens_details").put("cached_tokens", usage.cached());
    node.put("output_tokens", usage.completion());
    node.putObject("output_tokens_details").put("reasoning_tokens", usage.reasoning());
    node.put("total_tokens", usage.prompt() + usage.completion());
    return node;
  }

  @Override
  public Events events(int count, Supplier<Usage> usage) {
    return new ResponseEvents(this, usage);
  }
}
