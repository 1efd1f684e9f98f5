package io.kvasir.compute;

/// A pass over one row of each sequence of a batch, for [Backend#decode]: the same operations each
/// time, on other numbers. One instance stands for one pass for as long as the backend is used.
public interface DecodePass {

  /// Most rows that it can compute.
  int mostRows();

  /// Asks the backend for the operations.
  ///
  /// @param rows those of the batch and, at the discretion of the backend, some behind them that
  ///   belong to no sequence: it gives them token 0 and position 0, and nobody reads their results
  void compute(int rows);

  /// Factors of rows that it passes to [Ops#scaleRows], always in this array; empty for none. The
  /// caller fills them before each pass.
  float[] rowFactors();
}
