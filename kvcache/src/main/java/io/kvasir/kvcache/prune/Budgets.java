package io.kvasir.kvcache.prune;

/// How the rows that may stay are shared out among heads.
public enum Budgets {
  /// Every head keeps the same number of rows, each its own.
  HEAD,
  /// All heads of a layer keep the same rows: those with the best mean score.
  SHARED,
  /// A layer's rows go to its heads by need: each head is sure of a fifth of an equal share, and
  /// the best of the rest stay whichever head they belong to (AdaKV, arXiv 2407.11550).
  LAYER,
  /// One ranking over all heads of all layers (KVzip, arXiv 2505.23416).
  MODEL
}
