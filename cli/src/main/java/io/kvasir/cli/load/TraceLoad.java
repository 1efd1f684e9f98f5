package io.kvasir.cli.load;

import io.kvasir.sim.Trace;

/// The requests of a trace: its times, its lengths, and texts in which blocks are equal where the
/// trace says so.
///
/// A trace knows blocks by their hashes, not by their text. Every hash therefore becomes a block of
/// tokens of its own, equal for equal hashes, so that prefixes are shared as they were. What a
/// prompt has behind its last known block is its own. Answers are what the server's model says, so
/// a later prompt that repeats one, as the next turn of a chat does, shares only the earlier
/// prompt.
public final class TraceLoad implements LoadPlan {
  private static final long TAIL_SEED = 0x7a11_0000_0000_0000L;

  private final Trace trace;
  private final TokenPool pool;
  private final Pace pace;
  private final long seed;
  private final int count;
  private final int blockTokens;

  /// How a trace is replayed.
  ///
  /// @param requests only so many from its beginning
  /// @param scale tokens sent for each token of the trace: lengths and blocks
  /// @param speed seconds of the trace per second; 0 for a closed loop that ignores its times
  public record Pace(int requests, double scale, double speed) {
    public Pace {
      if (requests < 1 || !(scale > 0 && scale <= 16) || !(speed >= 0)) {
        throw new IllegalArgumentException(
            "impossible replay: %d requests, scale %s, speed %s".formatted(requests, scale, speed));
      }
    }
  }

  public TraceLoad(Trace trace, TokenPool pool, Pace pace, long seed) {
    this.trace = trace;
    this.pool = pool;
    this.pace = pace;
    this.seed = seed;
    this.count = Math.min(pace.requests(), trace.requestCount());
    this.blockTokens = Math.max(1, (int) Math.round(trace.blockTokens() * pace.scale()));
  }

  /// The largest scale up to 1 at which the longest of the first `requests` fits into a context.
  public static double fitting(Trace trace, int requests, int context) {
    double longest = 1;
    for (int i = 0; i < Math.min(requests, trace.requestCount()); i++) {
      longest = Math.max(longest, (double) trace.promptTokens(i) + trace.outputTokens(i));
    }
    // Two tokens for rounding up of prompt and answer.
    return Math.min(1, Math.max(1, context - 2) / longest);
  }

  @Override
  public int requestCount() {
    return count;
  }

  @Override
  public long atNanos(int request) {
    if (pace.speed() == 0) {
      return WHEN_FREE;
    }
    return Math.round((trace.arrivalNanos(request) - trace.arrivalNanos(0)) / pace.speed());
  }

  @Override
  public int promptTokens(int request) {
    return scaled(trace.promptTokens(request));
  }

  @Override
  public int outputTokens(int request) {
    return scaled(trace.outputTokens(request));
  }

  private int scaled(int tokens) {
    return Math.max(1, (int) Math.round(tokens * pace.scale()));
  }

  @Override
  public int[] prompt(int request) {
    int[] prompt = new int[promptTokens(request)];
    int[] block = new int[blockTokens];
    int at = 0;
    for (int i = 0; i < trace.promptBlocks(request) && at < prompt.length; i++) {
      pool.fill(block, 0, blockTokens, Mixing.mix(seed, trace.hash(trace.block(request, i))));
      int length = Math.min(blockTokens, prompt.length - at);
      System.arraycopy(block, 0, prompt, at, length);
      at += length;
    }
    pool.fill(prompt, at, prompt.length, Mixing.mix(seed ^ TAIL_SEED, request));
    return prompt;
  }
}
