package io.kvasir.cli.load;

import java.util.SplittableRandom;

/// Prompts of random tokens behind shared prefixes, at Poisson times or whenever a client is free.
public final class SyntheticLoad implements LoadPlan {
  private static final long PREFIX_SEED = 0x5eed_f1f5_7000_0000L;

  private final Shape shape;
  private final TokenPool pool;
  private final int[] prompts;
  private final int[] outputs;
  private final long[] times;

  /// What the requests look like.
  ///
  /// @param rate requests per second; 0 for a closed loop
  /// @param prompt tokens of each prompt behind the shared prefix
  /// @param output most tokens of each answer
  /// @param sharedPrefix tokens at the beginning of every prompt that others have too
  /// @param prefixes how many different shared prefixes there are, in turn
  public record Shape(
      int requests, double rate, Range prompt, Range output, int sharedPrefix, int prefixes) {
    public Shape {
      if (requests < 1 || sharedPrefix < 0 || prefixes < 1 || output.least() < 1) {
        throw new IllegalArgumentException(
            "at least one request, one prefix and one token of an answer are needed: "
                + requests
                + ", "
                + prefixes
                + ", "
                + output.least());
      }
      if (sharedPrefix + prompt.least() < 1) {
        throw new IllegalArgumentException("a prompt needs at least one token");
      }
    }
  }

  private final long seed;

  public SyntheticLoad(Shape shape, TokenPool pool, long seed) {
    this.shape = shape;
    this.pool = pool;
    this.seed = seed;
    SplittableRandom random = new SplittableRandom(seed);
    this.times =
        shape.rate() > 0
            ? Arrivals.poisson(shape.requests(), shape.rate(), random.split())
            : new long[0];
    this.prompts = new int[shape.requests()];
    this.outputs = new int[shape.requests()];
    for (int i = 0; i < prompts.length; i++) {
      prompts[i] = shape.sharedPrefix() + shape.prompt().draw(random);
      outputs[i] = shape.output().draw(random);
    }
  }

  @Override
  public int requestCount() {
    return prompts.length;
  }

  @Override
  public long atNanos(int request) {
    return times.length == 0 ? WHEN_FREE : times[request];
  }

  @Override
  public int promptTokens(int request) {
    return prompts[request];
  }

  @Override
  public int outputTokens(int request) {
    return outputs[request];
  }

  @Override
  public int[] prompt(int request) {
    int[] prompt = new int[prompts[request]];
    int shared = shape.sharedPrefix();
    pool.fill(prompt, 0, shared, Mixing.mix(seed ^ PREFIX_SEED, request % shape.prefixes()));
    pool.fill(prompt, shared, prompt.length, Mixing.mix(seed, request));
    return prompt;
  }
}
