package io.kvasir.compute.cpu;

import io.kvasir.compute.PageSkips;

/// The query rows of one sequence that one kv head's keys and values are read for at once.
///
/// Query `i * R + r` of a unit is query head `r` of the kv head's group in row `firstRow + i`.
/// Mutable, so that a list of them is reused from call to call.
final class AttentionUnit {
  int sequence;
  int head;

  /// Row in the batch.
  int firstRow;

  int rows;

  /// Partitions of the exact first rows of a pruned sequence; they come first.
  int sinkPartitions;

  /// Partitions of the rows that pruning kept; they come next.
  int keptPartitions;

  /// Partitions `fromPartition .. toPartition - 1` hold what the rows see.
  int fromPartition;

  int toPartition;

  /// Pages that its row reads, where it leaves out some; 0 where the rows read all. Partitions are
  /// of the rows of these pages then, one page behind the other.
  int pageCount;

  int[] pages = {};

  /// Number of the first partition's partial result, where partitions are computed apart.
  int firstItem;

  /// Where the first partition's partial result begins, where partial results differ in size.
  int firstFloat;

  /// Rows of its pages up to the row's own position.
  int rowsInPages(int position) {
    return (pageCount - 1) * PageSkips.PAGE + position % PageSkips.PAGE + 1;
  }

  int partitions() {
    return sinkPartitions + keptPartitions + toPartition - fromPartition;
  }
}
