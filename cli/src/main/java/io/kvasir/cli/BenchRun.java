package io.kvasir.cli;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.Session;
import io.kvasir.engine.TokenStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/// Measures an engine from outside, as its users meet it: requests in, tokens out, on the clock.
///
/// Each sequence is filled to its depth first, which is not timed. Random tokens, no stop tokens.
record BenchRun(Engine engine) {

  /// Tokens per second of each repetition, after one that does not count.
  List<Double> measure(BenchCase wanted, int repetitions) throws InterruptedException {
    List<Double> rates = new ArrayList<>();
    for (int i = 0; i <= repetitions; i++) {
      double rate = once(wanted, i);
      if (i > 0) {
        rates.add(rate);
      }
    }
    return rates;
  }

  private double once(BenchCase wanted, int seed) throws InterruptedException {
    SplittableRandom random = new SplittableRandom(seed);
    List<Session> sessions = new ArrayList<>();
    List<int[]> prompts = new ArrayList<>();
    for (int i = 0; i < wanted.batch(); i++) {
      int[] prompt = new int[wanted.depth() + Math.max(1, wanted.prompt())];
      for (int t = 0; t < prompt.length; t++) {
        prompt[t] = random.nextInt(engine.vocabularySize());
      }
      prompts.add(prompt);
      sessions.add(engine.openSession());
    }
    try {
      if (wanted.depth() > 0) {
        List<int[]> fills = new ArrayList<>();
        prompts.forEach(prompt -> fills.add(Arrays.copyOf(prompt, wanted.depth())));
        answer(fills, sessions, 1);
      }
      long start = System.nanoTime();
      answer(prompts, sessions, Math.max(1, wanted.generate()));
      return wanted.tokens() * 1e9 / (System.nanoTime() - start);
    } finally {
      sessions.forEach(Session::close);
    }
  }

  private void answer(List<int[]> prompts, List<Session> sessions, int tokens)
      throws InterruptedException {
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      streams.add(
          engine.submit(
              new Request(
                  prompts.get(i), tokens, SamplingOptions.GREEDY, Set.of(), sessions.get(i))));
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
}
