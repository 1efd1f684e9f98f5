package io.kvasir.kvcache.prune;

/// What a policy wants to see beside the positions of a head's rows.
///
/// @param keys whether it reads keys
/// @param values whether it reads values
/// @param queries how many of the last queries before the pruning it reads; 0 for none
/// @param queryForm how those queries are given
/// @param given where scores come from that the policy does not compute itself
public record PruneNeeds(
    boolean keys, boolean values, int queries, QueryForm queryForm, Given given) {

  /// Positions are enough.
  static final PruneNeeds NOTHING =
      new PruneNeeds(false, false, 0, QueryForm.AS_USED, Given.NOTHING);

  /// Only keys.
  static final PruneNeeds KEYS = new PruneNeeds(true, false, 0, QueryForm.AS_USED, Given.NOTHING);

  /// Keys and the last `count` queries.
  static PruneNeeds queries(int count) {
    return new PruneNeeds(true, false, count, QueryForm.AS_USED, Given.NOTHING);
  }

  /// Scores from elsewhere.
  static PruneNeeds given(Given given) {
    return new PruneNeeds(false, false, 0, QueryForm.AS_USED, given);
  }

  /// How queries are given.
  public enum QueryForm {
    /// With the encoding of their own position, as attention used them.
    AS_USED,
    /// With the mean encoding of the positions that come next.
    EXPECTED
  }

  /// Scores that are computed while the model runs.
  public enum Given {
    NOTHING,
    /// The strongest attention that each row gets while the model repeats the sequence.
    REPEAT,
    /// What a trained linear function makes of each row's hidden state.
    LINEAR
  }
}
