package io.kvasir.server;

import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.TextStream;
import io.kvasir.engine.TokenScores;
import io.kvasir.engine.TokenStream;
import io.kvasir.engine.grammar.GrammarException;
import io.kvasir.model.tokenizer.Detokenizer;
import io.kvasir.server.reply.Part;
import io.kvasir.server.reply.PartReader;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// One answer; read by one thread, counted by others.
final class Answer {
  private final long submittedNanos = System.nanoTime();
  private final int[] prompt;
  private final TokenStream tokens;
  private final TextStream text;
  private final PartReader parts;
  private final boolean oneCall;
  private final boolean promptOnly;
  private boolean promptScores;
  private final AtomicInteger read = new AtomicInteger();
  private final AtomicInteger thought = new AtomicInteger();
  private boolean textEnded;
  private int[] ids = new int[16];
  private volatile @Nullable Outcome outcome;

  Answer(TokenStream tokens, int[] prompt, ServedModel model, Job job) {
    Parameters.Stops stops = job.parameters().stops();
    boolean special =
        job.speech().marks().stream()
            .anyMatch(mark -> isSpecial(model.tokenizer().idOf(mark), model));
    this.tokens = tokens;
    this.prompt = prompt;
    this.text =
        new TextStream(
            tokens,
            new Detokenizer(model.tokenizer(), !special),
            stops.texts(),
            stops.isIncluded());
    this.parts = PartReader.of(job.speech());
    this.oneCall = job.limits().oneCall();
    this.promptOnly = job.parameters().maxTokens() == 0;
    this.promptScores = job.limits().promptScores();
  }

  private static boolean isSpecial(OptionalInt id, ServedModel model) {
    return id.isPresent() && model.tokenizer().isSpecial(id.getAsInt());
  }

  /// Waits for more; null at the end.
  @Nullable Step next() throws InterruptedException {
    if (textEnded) {
      return null;
    }
    if (promptOnly) {
      return prompt();
    }
    if (text.advance()) {
      boolean thinking = parts.isThinking();
      String piece = text.text();
      List<Part> found = parts.append(piece);
      if (text.hasToken()) {
        keep(tokens.token());
        read.incrementAndGet();
        thought.addAndGet(thinking || parts.isThinking() ? 1 : 0);
      }
      if (oneCall && parts.calls() > 0) {
        text.end();
      }
      if (!text.hasToken()) {
        return new Step(piece, found, Step.NO_TOKEN);
      }
      return new Step(piece, found, tokens.token(), tokens.scores(), promptScores());
    }
    textEnded = true;
    List<Part> rest = parts.finish();
    outcome = text.outcome();
    return rest.isEmpty() ? null : new Step("", rest, Step.NO_TOKEN);
  }

  private void keep(int token) {
    int count = read.get();
    if (count == ids.length) {
      ids = Arrays.copyOf(ids, 2 * count);
    }
    ids[count] = token;
  }

  /// What those are told who watch, when it has ended. The last token that was chosen is not among
  /// those that were computed.
  ServerWatch.Answered answered(String salt) {
    Outcome ended = outcome();
    int count = Math.max(0, read.get() - 1);
    int[] all = Arrays.copyOf(prompt, prompt.length + count);
    System.arraycopy(ids, 0, all, prompt.length, count);
    long first = submittedNanos + ended.queueNanos() + ended.prefillNanos();
    long end = first + ended.decodeNanos();
    return new ServerWatch.Answered(
        submittedNanos, first, end, salt, all, prompt.length, ended.cachedTokens());
  }

  /// One step without a token, when the prompt has been computed. A prompt is not looked at without
  /// an answer of one token, which is dropped.
  private Step prompt() throws InterruptedException {
    while (text.advance()) {
      // What nobody asked for.
    }
    textEnded = true;
    outcome = text.outcome();
    return new Step("", List.of(), Step.NO_TOKEN, null, promptScores());
  }

  /// The scores of the prompt at the first call, where they were asked for.
  private List<TokenScores> promptScores() {
    boolean wanted = promptScores;
    promptScores = false;
    return wanted ? tokens.promptScores() : List.of();
  }

  /// Stops because nobody wants more; may be called from any thread.
  void cancel() {
    tokens.cancel();
  }

  /// The tokens that were read.
  int completionTokens() {
    Outcome ended = outcome;
    return ended == null ? read.get() : Math.min(read.get(), ended.completionTokens());
  }

  /// How many of them were thoughts.
  int reasoningTokens() {
    return thought.get();
  }

  /// Prompt tokens that were not computed; 0 until the answer has ended.
  int cachedTokens() {
    Outcome ended = outcome;
    return ended == null ? 0 : ended.cachedTokens();
  }

  boolean hasEnded() {
    return outcome != null;
  }

  /// What it cost.
  ///
  /// @throws IllegalStateException before [#next] returned null
  Outcome outcome() {
    Outcome ended = outcome;
    if (ended == null) {
      throw new IllegalStateException("the answer has not ended");
    }
    return ended;
  }

  private Ending.Reason complete() {
    if (promptOnly) {
      return Ending.Reason.LENGTH;
    }
    return parts.calls() > 0 ? Ending.Reason.TOOLS : Ending.Reason.STOP;
  }

  private static ApiException failure(@Nullable Throwable error) {
    return error instanceof GrammarException
        ? new ApiException(400, String.valueOf(error.getMessage()))
        : new ApiException(500, "the model could not be run for this request");
  }

  /// What clients are told about the end.
  ///
  /// @throws ApiException where the engine failed or the server closed
  Ending ending() {
    Outcome ended = outcome();
    FinishReason reason = ended.reason();
    return switch (reason) {
      case STOP -> new Ending(complete(), text.stop(), ended);
      case LENGTH -> new Ending(Ending.Reason.LENGTH, null, ended);
      case CANCELLED -> throw new ApiException(503, "the server stopped before the answer ended");
      case EXPIRED -> throw new ApiException(504, "the request waited too long for its start");
      case ERROR -> throw failure(ended.error());
    };
  }
}
