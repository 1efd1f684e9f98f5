package io.kvasir.compute.cpu;

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

  /// Number of the first partition's partial result, where partitions are computed apart.
  int firstItem;

  /// Where the first partition's partial result begins, where partial results differ in size.
  int firstFloat;

  int partitions() {
    return sinkPartitions + keptPartitions + toPartition - fromPartition;
  }
}
