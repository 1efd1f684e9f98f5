package io.kvasir.kvcache.prune;

/// A policy that says which tokens of a live sequence can be done without.
///
/// It scores the rows of one kv head; [Selection] decides with these scores, a budget and the
/// pinned positions what stays. Policies are stateless and their results depend on their argument
/// only, bit for bit: a sequence that is computed again is pruned alike.
///
/// Removed rows leave a gap: those that stay keep their positions.
public interface TokenPruner {

  /// The name used on the command line and in tables.
  String name();

  /// What [#score] reads.
  PruneNeeds needs();

  /// How the rows that stay are shared out among heads.
  Budgets budgets();

  /// How many tokens of the answer pass between prunings; 0 where only the prompt is pruned.
  int interval();

  /// Scores the rows of a head; the higher, the rather a row stays.
  ///
  /// @param scores `[rows]`; only those of rows `first .. end - 1` count
  void score(HeadView head, float[] scores);
}
