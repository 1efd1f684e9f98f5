package io.kvasir.server;

import io.kvasir.server.reply.Part;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Chat messages in OpenAI's form.
///
/// @param prompt the prompt's token ids
/// @param functions whether calls are told as `function_call`, as for the older field `functions`
@SuppressWarnings("ArrayRecordComponent") // only read
record ChatForm(
    Envelope envelope, Parameters parameters, int[] prompt, boolean functions, Logprobs logprobs)
    implements AnswerForm {
  private static final String CHUNK = "chat.completion.chunk";

  @Override
  public ObjectNode whole(List<Whole> answers, Usage usage) {
    ObjectNode body = envelope.open("chat.completion");
    for (int i = 0; i < answers.size(); i++) {
      Whole answer = answers.get(i);
      ObjectNode choice = body.withArray("choices").addObject();
      choice.put("index", i);
      message(choice.putObject("message"), answer.reply());
      scores(choice, answer.reply().steps());
      choice.put("finish_reason", reason(answer.ending()));
      Envelope.stopReason(choice, answer.ending());
      if (parameters.shown().tokenIds()) {
        Envelope.ids(choice.putArray("token_ids"), answer.reply().steps());
      }
    }
    body.set("usage", usage.json());
    promptIds(body);
    envelope.cache(body, answers, parameters.n());
    return body;
  }

  private void promptIds(ObjectNode body) {
    if (parameters.shown().tokenIds()) {
      ArrayNode ids = body.putArray("prompt_token_ids");
      for (int id : prompt) {
        ids.add(id);
      }
    }
  }

  private void scores(ObjectNode choice, List<Step> steps) {
    boolean scored = steps.stream().anyMatch(step -> step.scores() != null);
    if (scored && parameters.shown().scores() >= 0) {
      choice.set("logprobs", logprobs.chat(steps));
    } else {
      choice.putNull("logprobs");
    }
  }

  private String reason(Ending ending) {
    return functions && ending.reason() == Ending.Reason.TOOLS
        ? "function_call"
        : Envelope.reason(ending);
  }

  private void message(ObjectNode message, Reply reply) {
    message.put("role", "assistant");
    if (reply.content().isEmpty() && !reply.calls().isEmpty()) {
      message.putNull("content");
    } else {
      message.put("content", reply.content());
    }
    if (!reply.reasoning().isEmpty()) {
      message.put("reasoning_content", reply.reasoning());
    }
    if (reply.calls().isEmpty()) {
      return;
    }
    if (functions) {
      Reply.Call call = reply.calls().getFirst();
      function(message.putObject("function_call"), call.name(), call.arguments().toString());
      return;
    }
    ArrayNode calls = message.putArray("tool_calls");
    for (Reply.Call call : reply.calls()) {
      ObjectNode node = calls.addObject().put("id", call.id()).put("type", "function");
      function(node.putObject("function"), call.name(), call.arguments().toString());
    }
  }

  private static void function(ObjectNode node, String name, String arguments) {
    node.put("name", name).put("arguments", arguments);
  }

  @Override
  public Events events(int count, Supplier<Usage> usage) {
    return new Chunks(count, usage);
  }

  private final class Chunks implements Events {
    private final Supplier<Usage> usage;
    private final boolean[] begun;

    Chunks(int count, Supplier<Usage> usage) {
      this.begun = new boolean[count];
      this.usage = usage;
    }

    /// A body whose only choice has `delta`.
    private ObjectNode choice(ObjectNode body, int index, ObjectNode delta, List<Step> steps) {
      ObjectNode choice = body.withArray("choices").addObject();
      choice.put("index", index);
      choice.set("delta", delta);
      scores(choice, steps);
      return choice;
    }

    @Override
    public List<Event> step(int index, Step step) {
      ObjectNode body = envelope.open(CHUNK);
      ObjectNode choice = choice(body, index, delta(step.parts()), List.of(step));
      choice.putNull("finish_reason");
      if (parameters.shown().tokenIds()) {
        Envelope.ids(choice.putArray("token_ids"), List.of(step));
      }
      return begun(index, body);
    }

    @Override
    public List<Event> end(int index, Ending ending) {
      ObjectNode body = envelope.open(CHUNK);
      ObjectNode choice = choice(body, index, Wire.object(), List.of());
      choice.put("finish_reason", reason(ending));
      if (ending.stop() != null) {
        Envelope.stopReason(choice, ending);
      }
      envelope.cache(body, ending);
      return begun(index, body);
    }

    /// The chunk, after the one that tells the role where this is the answer's first.
    private List<Event> begun(int index, ObjectNode body) {
      Event chunk = envelope.chunk(body, parameters, usage);
      if (begun[index]) {
        return List.of(chunk);
      }
      begun[index] = true;
      ObjectNode first = envelope.open(CHUNK);
      ObjectNode delta = Wire.object().put("role", "assistant").put("content", "");
      choice(first, index, delta, List.of()).putNull("finish_reason");
      promptIds(first);
      return List.of(envelope.chunk(first, parameters, usage), chunk);
    }

    @Override
    public List<Event> close() {
      return envelope.usageChunk(CHUNK, parameters, usage);
    }

    @Override
    public List<Event> error(ApiException error) {
      return envelope.error(error);
    }

    @Override
    public boolean isMarked() {
      return true;
    }
  }

  /// The parts of one step; empty content where there are none.
  private ObjectNode delta(List<Part> parts) {
    ObjectNode delta = Wire.object();
    for (Part part : parts) {
      switch (part) {
        case Part.Content(String text) -> append(delta, "content", text);
        case Part.Reasoning(String text) -> append(delta, "reasoning_content", text);
        case Part.CallBegun(int index, String id, String name) -> begin(delta, index, id, name);
        case Part.CallArguments(int index, String text) -> arguments(delta, index, text);
      }
    }
    return delta.isEmpty() ? delta.put("content", "") : delta;
  }

  private static void append(ObjectNode node, String name, String text) {
    node.put(name, node.path(name).asString("") + text);
  }

  private void begin(ObjectNode delta, int index, String id, String name) {
    if (functions) {
      function(delta.putObject("function_call"), name, "");
      return;
    }
    ObjectNode call = delta.withArray("tool_calls").addObject();
    call.put("index", index).put("id", id).put("type", "function");
    function(call.putObject("function"), name, "");
  }

  private void arguments(ObjectNode delta, int index, String text) {
    if (functions) {
      append(delta.withObject("function_call"), "arguments", text);
      return;
    }
    ArrayNode calls = delta.withArray("tool_calls");
    boolean same = !calls.isEmpty() && calls.get(calls.size() - 1).get("index").intValue() == index;
    if (!same) {
      calls.addObject().put("index", index).putObject("function");
    }
    append((ObjectNode) calls.get(calls.size() - 1).get("function"), "arguments", text);
  }
}
