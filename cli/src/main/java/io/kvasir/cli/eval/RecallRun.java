package io.kvasir.cli.eval;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Outcome;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.Session;
import io.kvasir.engine.TokenStream;
import io.kvasir.kvcache.prune.PruneOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/// Tells an engine long texts with facts in them and asks for these afterwards.
///
/// The engine does not know the questions while it reads: whatever it forgets, it forgets before
/// they are asked. Each question is asked of a fork of the conversation, so that none helps
/// another.
public final class RecallRun {
  private static final int ANSWER_TOKENS = 24;

  /// Questions that are answered at once.
  public static final int AT_ONCE = 8;

  private final Engine engine;
  private final RecallPrompts prompts;
  private final Set<Integer> stops;

  public RecallRun(Engine engine, RecallPrompts prompts, Set<Integer> stops) {
    this.engine = engine;
    this.prompts = prompts;
    this.stops = stops;
  }

  /// Asks for all facts.
  ///
  /// @param prune what is dropped after each turn that tells, or left out while answering
  public RecallScore measure(
      List<RecallContext> contexts, PruneOptions prune, Consumer<String> progress)
      throws InterruptedException {
    RecallScore score = new RecallScore();
    for (RecallContext context : contexts) {
      progress.accept(
          context.length() + " tokens, " + score.right() + " of " + score.count() + " recalled");
      try (Session session = engine.openSession()) {
        long bytes = 0;
        int tokens = 0;
        for (int turn = 0; turn < context.turns().size(); turn++) {
          int[] told = prompts.told(context, turn);
          Request request = new Request(told, 1, SamplingOptions.GREEDY, Set.of(), session);
          bytes = outcome(engine.submit(request.withPrune(prune))).cacheBytes();
          tokens = told.length;
        }
        score.read(context, tokens, bytes);
        for (int from = 0; from < context.facts().size(); from += AT_ONCE) {
          int to = Math.min(context.facts().size(), from + AT_ONCE);
          ask(context, session, context.facts().subList(from, to), prune, score);
        }
      }
    }
    return score;
  }

  private void ask(
      RecallContext context,
      Session session,
      List<Fact> facts,
      PruneOptions prune,
      RecallScore score)
      throws InterruptedException {
    PruneOptions asking = prune.skipsPages() ? prune : PruneOptions.NONE;
    List<Session> forks = new ArrayList<>();
    List<TokenStream> streams = new ArrayList<>();
    try {
      for (Fact fact : facts) {
        Session fork = session.fork();
        forks.add(fork);
        int[] asked = prompts.asked(context, fact);
        Request request = new Request(asked, ANSWER_TOKENS, SamplingOptions.GREEDY, stops, fork);
        streams.add(engine.submit(request.withPrune(asking)));
      }
      for (int i = 0; i < facts.size(); i++) {
        score.answered(context, facts.get(i), prompts.text(tokens(streams.get(i))));
      }
    } finally {
      forks.forEach(Session::close);
    }
  }

  private static int[] tokens(TokenStream stream) throws InterruptedException {
    int[] tokens = new int[ANSWER_TOKENS];
    int count = 0;
    while (stream.advance()) {
      tokens[count++] = stream.token();
    }
    checked(stream);
    return Arrays.copyOf(tokens, count);
  }

  private static Outcome outcome(TokenStream stream) throws InterruptedException {
    while (stream.advance()) {
      // What it says is of no interest.
    }
    return checked(stream);
  }

  /// How an answer ended that has.
  ///
  /// @throws EvalException where the engine failed
  static Outcome checked(TokenStream stream) {
    Outcome outcome = stream.outcome();
    Throwable error = outcome.error();
    if (error != null) {
      throw new EvalException("the model could not be run: " + error.getMessage(), error);
    }
    return outcome;
  }
}
