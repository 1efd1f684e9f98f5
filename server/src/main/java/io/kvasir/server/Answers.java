package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.PromptTooLongException;
import io.kvasir.engine.QueueFullException;
import io.kvasir.engine.Request;
import io.kvasir.engine.Session;
import io.kvasir.engine.Terms;
import io.kvasir.server.shape.Shape;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The answers to one HTTP request: each prompt's `n`, prompt by prompt.
final class Answers {
  private static final int MOST_ANSWERS = 1_024;
  private static final int MOST_SCORED_POSITIONS = 1 << 18;

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
  /// @param terms on whose behalf
  /// @param session the conversation that the one answer belongs to, or null
  /// @throws ApiException where a prompt is too long or empty, or too many requests wait
  static Answers submit(ServedModel model, Job job, Terms terms, @Nullable Session session) {
    int total = 0;
    Parameters parameters = job.parameters();
    if (session != null && (job.prompts().size() > 1 || parameters.bestOf() > 1)) {
      throw ApiException.field("session_id", "a session takes one prompt and gives one answer");
    }
    if (session != null && !parameters.salt().isEmpty()) {
      throw ApiException.field(
          "cache_salt", "a session has a salt of its own; leave 'cache_salt' out");
    }
    if (session != null && job.limits().promptScores()) {
      throw ApiException.field("session_id", "a session's prompt is not computed anew for scores");
    }
    checkSize(job);
    List<Request> requests = new ArrayList<>();
    for (int[] prompt : job.prompts()) {
      total += prompt.length;
      int most = room(model.engine(), prompt, parameters);
      for (int i = 0; i < parameters.bestOf(); i++) {
        Request request =
            new Request(prompt, most, parameters.sampling(i), parameters.stops().tokens(), session);
        requests.add(shaped(request, job).withTerms(terms).withPrune(parameters.prune()));
      }
    }
    Answers answers = new Answers(job.prompts().size(), total);
    try {
      for (Request request : requests) {
        answers.all.add(new Answer(model.engine().submit(request), request.prompt(), model, job));
      }
    } catch (RuntimeException e) {
      answers.cancel();
      throw refusal(e);
    }
    return answers;
  }

  /// One HTTP request must not fill the queue, nor the memory with scores of its prompts.
  private static void checkSize(Job job) {
    int answers = job.prompts().size() * job.parameters().bestOf();
    if (answers > MOST_ANSWERS) {
      throw ApiException.field(
          "n",
          "%d answers are asked for at once; at most %d are possible"
              .formatted(answers, MOST_ANSWERS));
    }
    long positions = 0;
    for (int[] prompt : job.prompts()) {
      positions += (long) prompt.length * job.parameters().bestOf();
    }
    if (job.limits().promptScores() && positions > MOST_SCORED_POSITIONS) {
      throw ApiException.field(
          "echo",
          "scores of %d prompt tokens are asked for at once; at most %d are possible"
              .formatted(positions, MOST_SCORED_POSITIONS));
    }
  }

  /// The request with what its answer must look like.
  private static Request shaped(Request request, Job job) {
    Parameters parameters = job.parameters();
    int scores = parameters.shown().scores();
    boolean compared = parameters.bestOf() > parameters.n();
    Request shaped =
        request
            .withMinTokens(parameters.minTokens())
            .withScores(compared ? Math.max(0, scores) : scores);
    shaped = job.limits().promptScores() ? shaped.withPromptScores() : shaped;
    Shape shape = job.limits().shape();
    return shape == null ? shaped : shaped.withConstraint(shape.within(request.maxTokens()));
  }

  /// What a client is told where the engine does not take a request.
  static RuntimeException refusal(RuntimeException e) {
    return switch (e) {
      case PromptTooLongException tooLong ->
          new ApiException(
              400, String.valueOf(tooLong.getMessage()), null, "context_length_exceeded");
      case QueueFullException full ->
          ApiException.busy(String.valueOf(full.getMessage()), full.retryAfterSeconds());
      case IllegalArgumentException wrong ->
          new ApiException(400, String.valueOf(wrong.getMessage()));
      case IllegalStateException closed ->
          new ApiException(503, String.valueOf(closed.getMessage()));
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
    return wanted == Parameters.ROOM ? context - prompt.length : (int) Math.max(1, wanted);
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
    all.forEach(Answer::cancel);
  }

  boolean isCancelled() {
    return cancelled;
  }

  /// Notes what was used and when the first token came, and hands the answers to those who watch.
  /// All must have ended.
  void tell(Visit visit, String salt, ServerWatch watch) {
    int completion = 0;
    int cached = 0;
    long first = Long.MAX_VALUE;
    int n = all.size() / prompts;
    for (int i = 0; i < all.size(); i++) {
      Outcome outcome = all.get(i).outcome();
      completion += outcome.completionTokens();
      cached += i % n == 0 ? outcome.cachedTokens() : 0;
      if (outcome.completionTokens() > 0) {
        first = Math.min(first, outcome.queueNanos() + outcome.prefillNanos());
      }
      if (watch.wantsAnswers()) {
        watch.answered(all.get(i).answered(salt));
      }
    }
    visit.used(promptTokens, cached, completion, first == Long.MAX_VALUE ? -1 : first);
  }

  /// What was used so far; cached tokens are those of each prompt's first answer, and 0 until it
  /// has ended.
  Usage usage() {
    int completion = 0;
    int cached = 0;
    int reasoning = 0;
    int each = all.size() / prompts;
    for (int i = 0; i < all.size(); i++) {
      Answer answer = all.get(i);
      completion += answer.completionTokens();
      reasoning += answer.reasoningTokens();
      cached += i % each == 0 ? answer.cachedTokens() : 0;
    }
    return new Usage(promptTokens, completion, cached, reasoning);
  }
}
