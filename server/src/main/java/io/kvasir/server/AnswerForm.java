package io.kvasir.server;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// How answers look on the wire: constant over one request.
///
/// @param chat whether they are chat messages rather than plain completions
record AnswerForm(boolean chat, String id, long created, String model) {

  /// The envelope of a whole answer or of a chunk, without choices.
  private ObjectNode envelope(boolean chunk) {
    ObjectNode node = Wire.object();
    node.put("id", id);
    node.put(
        "object", chat ? chunk ? "chat.completion.chunk" : "chat.completion" : "text_completion");
    node.put("created", created);
    node.put("model", model);
    node.putArray("choices");
    return node;
  }

  /// A whole answer without choices.
  ObjectNode whole() {
    return envelope(false);
  }

  /// Adds a finished choice to a whole answer.
  void addChoice(ObjectNode whole, int index, String text, String finishReason) {
    ObjectNode choice = whole.withArray("choices").addObject();
    choice.put("index", index);
    if (chat) {
      choice.putObject("message").put("role", "assistant").put("content", text);
    } else {
      choice.put("text", text);
    }
    choice.putNull("logprobs");
    choice.put("finish_reason", finishReason);
  }

  /// The chunk that begins a chat message.
  ObjectNode role(int index) {
    ObjectNode chunk = envelope(true);
    ObjectNode choice = chunk.withArray("choices").addObject();
    choice.put("index", index);
    choice.putObject("delta").put("role", "assistant").put("content", "");
    choice.putNull("logprobs");
    choice.putNull("finish_reason");
    return chunk;
  }

  /// A chunk with text, or the last one of a choice.
  ObjectNode chunk(int index, String text, @Nullable String finishReason) {
    ObjectNode chunk = envelope(true);
    ObjectNode choice = chunk.withArray("choices").addObject();
    choice.put("index", index);
    if (!chat) {
      choice.put("text", text);
    } else if (finishReason == null) {
      choice.putObject("delta").put("content", text);
    } else {
      choice.putObject("delta");
    }
    choice.putNull("logprobs");
    if (finishReason == null) {
      choice.putNull("finish_reason");
    } else {
      choice.put("finish_reason", finishReason);
    }
    return chunk;
  }

  /// The chunk that tells what a stream used.
  ObjectNode usage(ObjectNode usage) {
    ObjectNode chunk = envelope(true);
    chunk.set("usage", usage);
    return chunk;
  }
}
