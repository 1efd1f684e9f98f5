package io.kvasir.kvcache.prune;

/// Which positions a pruning may remove, and how many of them stay.
///
/// The budget counts positions of the sequence, not what earlier prunings left of them: pruning the
/// same sequence again with the same ratio removes nothing twice.
///
/// @param tokens positions `0 .. tokens - 1` leave the ordinary blocks; whole blocks
/// @param first the first position that may go
/// @param end one past the last position that may go
/// @param keep of those, how many stay for each head on average
public record PruneScope(int tokens, int first, int end, int keep) {
  /// The first tokens soak up attention whatever they say and are always kept (StreamingLLM, arXiv
  /// 2309.17453).
  public static final int SINKS = 4;

  /// The newest tokens are always kept.
  public static final int RECENT = 64;

  /// The scope of a sequence of `length` positions.
  public static PruneScope of(int length, int blockTokens, PruneOptions options) {
    int tokens = length / blockTokens * blockTokens;
    int first = Math.max(SINKS, options.pinnedTokens());
    int end = Math.max(first, Math.min(tokens, length - RECENT));
    // A hair less, so that 0.7 of 10 keeps 3 and not 4.
    int keep = (int) Math.ceil((1 - options.ratio()) * (end - first) - 1e-6);
    return new PruneScope(tokens, first, end, Math.max(0, keep));
  }

  /// Whether there is nothing to remove.
  public boolean isEmpty() {
    return tokens == 0 || keep >= end - first;
  }
}
