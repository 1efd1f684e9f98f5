package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.QueueFullException;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Lets a model compute before it is offered, so that the JVM has compiled its kernels and read its
/// weights when the first client comes. Nothing of it stays in the cache or reaches a tier, since
/// prompts whose scores are wanted share nothing.
public final class WarmUp {
  private static final int AT_ONCE = 4;
  private static final int PROMPT = 96;
  private static final int ANSWER = 24;

  private WarmUp() {}

  /// Computes until `most` has passed, at least one round.
  public static void run(Engine engine, Duration most) throws InterruptedException {
    long begin = System.nanoTime();
    int length = Math.min(PROMPT, engine.contextTokens() - 2);
    do {
      List<TokenStream> streams = new ArrayList<>();
      try {
        for (int i = 0; i < AT_ONCE; i++) {
          streams.add(engine.submit(request(engine, length, i)));
        }
      } catch (QueueFullException | IllegalArgumentException e) {
        // A small queue or cache: what fits is enough.
      }
      for (TokenStream stream : streams) {
        while (stream.advance()) {
          // Nobody reads it.
        }
      }
      if (streams.isEmpty()) {
        return;
      }
    } while (System.nanoTime() - begin < most.toNanos());
  }

  private static Request request(Engine engine, int length, int seed) {
    int[] prompt = new int[length];
    for (int i = 0; i < length; i++) {
      prompt[i] = (int) ((i * 131L + seed * 977L) % engine.vocabularySize());
    }
    SamplingOptions sampling = SamplingOptions.GREEDY.withTemperature(1).withSeed(seed);
    return new Request(prompt, ANSWER, sampling, Set.of()).withPromptScores();
  }
}
