package io.kvasir.server;

import io.kvasir.model.tokenizer.Tokenizer;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Plain completions in OpenAI's form.
///
/// @param prompts what is completed
record CompletionForm(
    Envelope envelope, Parameters parameters, List<Prompt> prompts, Tokenizer tokenizer)
    implements AnswerForm {
  private static final String OBJECT = "text_completion";

  /// A prompt.
  ///
  /// @param echo its text, where answers begin with it; else null
  @SuppressWarnings("ArrayRecordComponent") // only read
  record Prompt(int[] tokens, @Nullable String echo) {}

  CompletionForm {
    prompts = List.copyOf(prompts);
  }

  @Override
  public ObjectNode whole(List<Whole> answers, Usage usage) {
    ObjectNode body = envelope.open(OBJECT);
    for (int i = 0; i < answers.size(); i++) {
      Whole answer = answers.get(i);
      List<Step> steps = answer.reply().steps();
      ObjectNode choice =
          choice(body, i, answer.reply().text(), steps, new Logprobs.Offset(tokenizer), true);
      choice.put("finish_reason", Envelope.reason(answer.ending()));
      Envelope.stopReason(choice, answer.ending());
      ids(choice, i, steps, true);
    }
    body.set("usage", usage.json());
    envelope.cache(body, answers, parameters.n());
    return body;
  }

  private Prompt prompt(int index) {
    return prompts.get(index / parameters.n());
  }

  /// A choice with the text and scores of some steps.
  ///
  /// @param first whether the answer begins with them
  private ObjectNode choice(
      ObjectNode body,
      int index,
      String text,
      List<Step> steps,
      Logprobs.Offset offset,
      boolean first) {
    String echo = first ? prompt(index).echo() : null;
    ObjectNode choice = body.withArray("choices").addObject();
    choice.put("index", index);
    choice.put("text", echo == null ? text : echo + text);
    if (parameters.shown().scores() < 0 || steps.isEmpty()) {
      choice.putNull("logprobs");
      return choice;
    }
    Logprobs.Arrays arrays = new Logprobs(tokenizer).new Arrays(offset);
    if (echo != null) {
      arrays.prompt(prompt(index).tokens(), steps.getFirst().promptScores());
    }
    arrays.steps(steps);
    choice.set("logprobs", arrays.json());
    return choice;
  }

  private void ids(ObjectNode choice, int index, List<Step> steps, boolean first) {
    if (!parameters.shown().tokenIds()) {
      return;
    }
    Envelope.ids(choice.putArray("token_ids"), steps);
    if (first) {
      ArrayNode ids = choice.putArray("prompt_token_ids");
      for (int id : prompt(index).tokens()) {
        ids.add(id);
      }
    }
  }

  @Override
  public Events events(int count, Supplier<Usage> usage) {
    return new Chunks(count, usage);
  }

  private final class Chunks implements Events {
    private final Supplier<Usage> usage;
    private final Logprobs.@Nullable Offset[] begun;

    Chunks(int count, Supplier<Usage> usage) {
      this.begun = new Logprobs.Offset[count];
      this.usage = usage;
    }

    @Override
    public List<Event> step(int index, Step step) {
      Logprobs.Offset before = begun[index];
      Logprobs.Offset offset = before == null ? new Logprobs.Offset(tokenizer) : before;
      begun[index] = offset;
      List<Step> steps = List.of(step);
      ObjectNode body = envelope.open(OBJECT);
      ObjectNode choice = choice(body, index, step.text(), steps, offset, before == null);
      choice.putNull("finish_reason");
      ids(choice, index, steps, before == null);
      return List.of(envelope.chunk(body, parameters, usage));
    }

    @Override
    public List<Event> end(int index, Ending ending) {
      ObjectNode body = envelope.open(OBJECT);
      Logprobs.Offset offset = begun[index];
      boolean first = offset == null;
      ObjectNode choice =
          choice(
              body,
              index,
              "",
              List.of(),
              offset == null ? new Logprobs.Offset(tokenizer) : offset,
              first);
      choice.put("finish_reason", Envelope.reason(ending));
      if (ending.stop() != null) {
        Envelope.stopReason(choice, ending);
      }
      envelope.cache(body, ending);
      return List.of(envelope.chunk(body, parameters, usage));
    }

    @Override
    public List<Event> close() {
      return envelope.usageChunk(OBJECT, parameters, usage);
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
}
