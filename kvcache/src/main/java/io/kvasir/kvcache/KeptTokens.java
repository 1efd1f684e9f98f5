package io.kvasir.kvcache;

import org.jspecify.annotations.Nullable;

/// Which of the first positions of a sequence stay when the others are dropped.
///
/// @param tokens positions `0 .. tokens - 1` are decided upon, a multiple of the block size; the
///   ones behind all stay
/// @param positions `[cache layer][kv head]`: the positions that stay, ascending, below `tokens`;
///   null for the layers of window groups, which are not pruned. Positions that a layer keeps
///   exactly from the start (its sinks) stay in any case, listed or not. Not to be changed
@SuppressWarnings("ArrayRecordComponent") // large; handed over once
public record KeptTokens(int tokens, int[] @Nullable [][] positions) {
  public KeptTokens {
    if (tokens < 0) {
      throw new IllegalArgumentException("cannot prune " + tokens + " tokens");
    }
  }
}
