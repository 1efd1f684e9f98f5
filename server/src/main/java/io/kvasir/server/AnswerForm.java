package io.kvasir.server;

import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.node.ObjectNode;

/// How the answers to one request look on the wire.
sealed interface AnswerForm permits AnthropicForm, ChatForm, CompletionForm, ResponsesForm {

  /// What is sent when all answers have ended, one for each index.
  ObjectNode whole(List<Whole> answers, Usage usage);

  /// What is sent while the answers come.
  ///
  /// @param count how many there are
  /// @param usage what was used so far
  Events events(int count, Supplier<Usage> usage);

  /// An answer that has ended.
  record Whole(Reply reply, Ending ending) {}

  /// Makes the events of one stream. Each index is used by one thread.
  interface Events {

    /// The events of a step of the answer `index`: at least one.
    List<Event> step(int index, Step step);

    /// The events that end the answer `index`.
    List<Event> end(int index, Ending ending);

    /// The events after the last answer.
    List<Event> close();

    /// The events that tell a failure.
    List<Event> error(ApiException error);

    /// Whether `[DONE]` ends the stream.
    boolean isMarked();
  }
}
