package io.kvasir.cli;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.Session;
import io.kvasir.engine.TokenStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/// Measures an engine from outside, as its users meet it: requests in, tokens out, on the clock.
///
/// Each sequence is filled to its depth first, which is not timed. Sequence `i` starts with the
/// same tokens in every case, so what one case has filled is not computed again for the next.
/// Sequences that share what is before are forks of one. Random tokens, no stop tokens.
final class BenchRun implements AutoCloseable {
  private final Engine engine;
  private final List<Session> sessions = new ArrayList<>();

  BenchRun(Engine engine) {
    this.engine = engine;
  }

  /// Tokens per second of each repetition, after one that does not count.
  List<Double> measure(BenchCase wanted, int repetitions) throws InterruptedException {
    List<Session> used = wanted.shared() ? forks(wanted) : own(wanted.batch());
    List<Double> rates = new ArrayList<>();
    for (int i = 0; i <= repetitions; i++) {
      double rate = once(wanted, used, i);
      if (i > 0) {
        rates.add(rate);
      }
    }
    if (wanted.shared()) {
      used.forEach(Session::close);
    }
    return rates;
  }

  private List<Session> own(int count) {
    while (sessions.size() < count) {
      sessions.add(engine.openSession());
    }
    return sessions;
  }

  /// Sessions that hold the tokens before together.
  private List<Session> forks(BenchCase wanted) throws InterruptedException {
    Session first = own(1).getFirst();
    if (wanted.depth() > 0) {
      answer(prompts(wanted, 0, 0).subList(0, 1), List.of(first), 1);
    }
    List<Session> forks = new ArrayList<>();
    while (forks.size() < wanted.batch()) {
      forks.add(first.fork());
    }
    return forks;
  }

  private double once(BenchCase wanted, List<Session> used, int repetition)
      throws InterruptedException {
    if (wanted.depth() > 0 && !wanted.shared()) {
      answer(prompts(wanted, 0, repetition), used, 1);
    }
    List<int[]> prompts = prompts(wanted, Math.max(1, wanted.prompt()), repetition);
    if (wanted.depth() == 0) {
      for (int i = 0; i < prompts.size(); i++) {
        used.get(i).rewind(0);
      }
    }
    long start = System.nanoTime();
    answer(prompts, used, Math.max(1, wanted.generate()));
    return wanted.tokens() * 1e9 / (System.nanoTime() - start);
  }

  /// A prompt for each sequence: the tokens that fill it, and `tail` tokens that no other
  /// repetition has.
  private List<int[]> prompts(BenchCase wanted, int tail, int repetition) {
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < wanted.batch(); i++) {
      int[] prompt = new int[wanted.depth() + tail];
      SplittableRandom random = new SplittableRandom(wanted.shared() ? 0 : i);
      for (int t = 0; t < prompt.length; t++) {
        if (t == wanted.depth()) {
          random = new SplittableRandom(0x7A11L + 31L * wanted.tokens() + repetition);
        }
        prompt[t] = random.nextInt(engine.vocabularySize());
      }
      prompts.add(prompt);
    }
    return prompts;
  }

  private void answer(List<int[]> prompts, List<Session> used, int tokens)
      throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      streams.add(
          engine.submit(
              new Request(prompts.get(i), tokens, SamplingOptions.GREEDY, Set.of(), used.get(i))));
    }
    for (TokenStream stream : streams) {
      while (stream.advance()) {
        // Only the clock is of interest.
      }
      Throwable error = stream.outcome().error();
      if (error != null) {
        throw new FailureException("the model could not be run: " + Sentence.of(error), error);
      }
    }
  }

  @Override
  public void close() {
    sessions.forEach(Session::close);
  }
}
