package io.kvasir.server;

import io.kvasir.server.reply.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// The events of a streamed response, numbered one by one: each output item is added, grows by
/// deltas, and is done before the next.
final class ResponseEvents implements AnswerForm.Events {
  private final ResponsesForm form;
  private final Supplier<Usage> usage;
  private final Reply reply = new Reply();
  private final ArrayNode output = Wire.object().putArray("output");
  private final List<Event> out = new ArrayList<>();
  private final StringBuilder text = new StringBuilder();
  private Open open = Open.NOTHING;
  private String item = "";
  private String callId = "";
  private String name = "";
  private int sequence;
  private boolean begun;

  /// The kind of the item that grows.
  private enum Open {
    NOTHING,
    MESSAGE,
    REASONING,
    CALL
  }

  ResponseEvents(ResponsesForm form, Supplier<Usage> usage) {
    this.form = form;
    this.usage = usage;
  }

  @Override
  public List<Event> step(int index, Step step) {
    begin();
    reply.add(step);
    for (Part part : step.parts()) {
      switch (part) {
        case Part.Content(String more) -> {
          open(Open.MESSAGE);
          grow("response.output_text.delta", more);
        }
        case Part.Reasoning(String more) -> {
          open(Open.REASONING);
          grow("response.reasoning_text.delta", more);
        }
        case Part.CallBegun(int _, String id, String called) -> {
          done();
          callId = id;
          name = called;
          open(Open.CALL);
        }
        case Part.CallArguments(int _, String more) ->
            grow("response.function_call_arguments.delta", more);
      }
    }
    return taken();
  }

  private List<Event> taken() {
    List<Event> result = List.copyOf(out);
    out.clear();
    return result;
  }

  private ObjectNode event(String type) {
    ObjectNode data = Wire.object().put("type", type).put("sequence_number", sequence++);
    out.add(new Event(type, data));
    return data;
  }

  private void begin() {
    if (!begun) {
      begun = true;
      event("response.created").set("response", snapshot());
      event("response.in_progress").set("response", snapshot());
    }
  }

  private ObjectNode snapshot() {
    return form.response(Wire.object().putArray("output"), null, null);
  }

  private void open(Open kind) {
    if (open == kind && kind != Open.CALL) {
      return;
    }
    done();
    open = kind;
    text.setLength(0);
    item =
        Ids.next(
            switch (kind) {
              case MESSAGE -> "msg_";
              case REASONING -> "rs_";
              case CALL -> "fc_";
              case NOTHING -> "";
            });
    ObjectNode begun = item();
    begun.put("status", "in_progress");
    if (begun.get("content") instanceof ArrayNode content) {
      content.removeAll();
    }
    event("response.output_item.added").put("output_index", output.size()).set("item", begun);
    if (kind != Open.CALL) {
      place("response.content_part.added").set("part", part());
    }
  }

  /// An event about the content of the item that grows.
  private ObjectNode place(String type) {
    ObjectNode data = event(type).put("item_id", item).put("output_index", output.size());
    return open == Open.CALL ? data : data.put("content_index", 0);
  }

  private void grow(String type, String more) {
    text.append(more);
    ObjectNode data = place(type).put("delta", more);
    if (open == Open.MESSAGE) {
      data.putArray("logprobs");
    }
  }

  private ObjectNode item() {
    String all = text.toString();
    return switch (open) {
      case MESSAGE -> ResponsesForm.message(item, all);
      case REASONING -> ResponsesForm.reasoning(item, all);
      case CALL -> ResponsesForm.call(item, callId, name, all);
      case NOTHING -> throw new IllegalStateException("no item is open");
    };
  }

  private ObjectNode part() {
    String all = text.toString();
    return open == Open.MESSAGE ? ResponsesForm.text(all) : ResponsesForm.thought(all);
  }

  /// Ends the item that grows.
  private void done() {
    if (open == Open.NOTHING) {
      return;
    }
    String all = text.toString();
    switch (open) {
      case MESSAGE -> place("response.output_text.done").put("text", all).putArray("logprobs");
      case REASONING -> place("response.reasoning_text.done").put("text", all);
      case CALL ->
          place("response.function_call_arguments.done").put("name", name).put("arguments", all);
      case NOTHING -> {}
    }
    if (open != Open.CALL) {
      place("response.content_part.done").set("part", part());
    }
    ObjectNode item = item();
    event("response.output_item.done").put("output_index", output.size()).set("item", item);
    output.add(item);
    open = Open.NOTHING;
  }

  @Override
  public List<Event> end(int index, Ending ending) {
    begin();
    if (output.isEmpty() && open == Open.NOTHING) {
      open(Open.MESSAGE);
    }
    done();
    boolean cut = ending.reason() == Ending.Reason.LENGTH;
    ObjectNode response = form.response(output, ending, usage.get());
    form.ended().accept(reply, response);
    event(cut ? "response.incomplete" : "response.completed").set("response", response);
    return taken();
  }

  @Override
  public List<Event> close() {
    return List.of();
  }

  @Override
  public List<Event> error(ApiException error) {
    out.clear();
    event("response.failed").set("response", form.failed(output, error));
    return taken();
  }

  @Override
  public boolean isMarked() {
    return false;
  }
}
