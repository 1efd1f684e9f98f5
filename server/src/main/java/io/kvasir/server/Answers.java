package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.PromptTooLongException;
import io.kvasir.engine.Request;
import io.kvasir.engine.TextStream;
import io.kvasir.engine.TokenStream;
import io.kvasir.model.tokenizer.Detokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// The answers to one HTTP request: each prompt's `n`, prompt by prompt.
final class Answers {
  private final List<Answer> all = new ArrayList<>();
  private final int prompts;
  private final int promptTokens;
  private volatile boolean cancelled;

  private Answers(int prompts, int promptTokens) {
    this.prompts = prompts;
    this.promptTokens = promptTokens;
  }

  /// Submits everything, or nothing where one prompt cannot be answered.
  ///
  /// @throws ApiException where a prompt is too long or empty
  static Answers submit(ServedModel model, List<int[]> prompts, Parameters parameters) {
    int total = 0;
    List<Request> requests = new ArrayList<>();
    for (int[] prompt : prompts) {
      total += prompt.length;
      int most = room(model.engine(), prompt, parameters);
      for (int i = 0; i < parameters.n(); i++) {
        requests.add(
            new Request(prompt, most, parameters.sampling(i), parameters.stopTokens())
                .withSalt(parameters.salt()));
      }
    }
    Answers answers = new Answers(prompts.size(), total);
    try {
      for (Request request : requests) {
        TokenStream tokens = model.engine().submit(request);
        answers.all.add(
            new Answer(
                tokens,
                new TextStream(
                    tokens, new Detokenizer(model.tokenizer(), true), parameters.stops())));
      }
    } catch (RuntimeException e) {
      answers.cancel();
      throw refusal(e);
    }
    return answers;
  }

  private static RuntimeException refusal(RuntimeException e) {
    return switch (e) {
      case PromptTooLongException tooLong ->
          new ApiException(
              400, String.valueOf(tooLong.getMessage()), null, "context_length_exceeded");
      case IllegalArgumentException wrong ->
          new ApiException(400, String.valueOf(wrong.getMessage()));
      case IllegalStateException closed -> new ApiException(503, "the server is closing");
      default -> e;
    };
  }

  private static int room(Engine engine, int[] prompt, Parameters parameters) {
    if (prompt.length == 0) {
      throw ApiException.field("prompt", "the prompt is empty; give at least one token");
    }
    int context = engine.contextTokens();
    long wanted = parameters.maxTokens();
    if (prompt.length + Math.max(1, wanted) > context) {
      throw new ApiException(
          400,
          "this model's maximum context length is %d tokens, but the prompt has %d and up to %d are asked for"
              .formatted(context, prompt.length, Math.max(1, wanted)),
          null,
          "context_length_exceeded");
    }
    return wanted > 0 ? (int) wanted : context - prompt.length;
  }

  List<Answer> all() {
    return all;
  }

  /// Stops all because nobody reads them; may be called from any thread.
  void cancel() {
    cancelled = true;
    stop();
  }

  /// Stops all while somebody reads them; may be called from any thread.
  void stop() {
    all.forEach(answer -> answer.tokens.cancel());
  }

  boolean isCancelled() {
    return cancelled;
  }

  /// What was used so far; cached tokens are those of each prompt's first answer, and 0 until it
  /// has ended.
  ObjectNode usage() {
    int completion = 0;
    int cached = 0;
    int n = all.size() / prompts;
    for (int i = 0; i < all.size(); i++) {
      Answer answer = all.get(i);
      completion += answer.completionTokens();
      Outcome outcome = answer.outcome;
      if (i % n == 0 && outcome != null) {
        cached += outcome.cachedTokens();
      }
    }
    ObjectNode usage = Wire.object();
    usage.put("prompt_tokens", promptTokens);
    usage.put("completion_tokens", completion);
    usage.put("total_tokens", promptTokens + completion);
    usage.putObject("prompt_tokens_details").put("cached_tokens", cached);
    usage
        .putObject("completion_tokens_details")
        .put("reasoning_tokens", 0)
        .put("accepted_prediction_tokens", 0)
        .put("rejected_prediction_tokens", 0);
    return usage;
  }

  /// One answer; read by one thread.
  static final class Answer {
    private final TokenStream tokens;
    private final TextStream text;
    private final AtomicInteger read = new AtomicInteger();
    private volatile @Nullable Outcome outcome;

    Answer(TokenStream tokens, TextStream text) {
      this.tokens = tokens;
      this.text = text;
    }

    /// Waits for more text, which may be empty; null at the end.
    @Nullable String next() throws InterruptedException {
      if (text.advance()) {
        read.incrementAndGet();
        return text.text();
      }
      outcome = text.outcome();
      return null;
    }

    /// The tokens that were read; the last piece of text may come without one.
    int completionTokens() {
      Outcome ended = outcome;
      return ended == null ? read.get() : Math.min(read.get(), ended.completionTokens());
    }

    boolean hasEnded() {
      return outcome != null;
    }

    /// How the answer ended.
    ///
    /// @throws IllegalStateException before [#next] returned null
    Outcome outcome() {
      Outcome ended = outcome;
      if (ended == null) {
        throw new IllegalStateException("the answer has not ended");
      }
      return ended;
    }

    /// What clients are told about the end.
    ///
    /// @throws ApiException where the engine failed or the server closed
    String finishReason() {
      FinishReason reason = outcome().reason();
      return switch (reason) {
        case STOP -> "stop";
        case LENGTH -> "length";
        case CANCELLED -> throw new ApiException(503, "the server stopped before the answer ended");
        case EXPIRED -> throw new ApiException(504, "the request waited too long for its start");
        case ERROR -> throw new ApiException(500, "the model could not be run for this request");
      };
    }
  }
}
