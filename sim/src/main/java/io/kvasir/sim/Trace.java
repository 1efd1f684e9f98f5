package io.kvasir.sim;

/// Requests in the order in which they are replayed, each a list of block numbers.
///
/// Blocks are numbered `0 .. distinctBlocks - 1` in order of appearance; equal numbers mean equal
/// tokens with an equal past. The first [#promptBlocks] blocks of a request are its prompt's, those
/// behind them are filled by its answer. Requests lie one after the other in flat arrays. Made by
/// [TraceBuilder]; immutable.
public final class Trace {
  private final String name;
  private final int blockTokens;
  private final long[] hashes;
  private final TraceColumns columns;

  Trace(String name, int blockTokens, long[] hashes, TraceColumns columns) {
    this.name = name;
    this.blockTokens = blockTokens;
    this.hashes = hashes;
    this.columns = columns;
  }

  /// The file's or workload's name, as it was given.
  public String name() {
    return name;
  }

  /// Tokens of a block.
  public int blockTokens() {
    return blockTokens;
  }

  public int requestCount() {
    return columns.count();
  }

  /// Different blocks of all requests.
  public int distinctBlocks() {
    return hashes.length;
  }

  /// The hash by which the trace knows a block.
  public long hash(int block) {
    return hashes[block];
  }

  /// When the request came, in nanoseconds of the trace's clock.
  public long arrivalNanos(int request) {
    return columns.arrivalNanos(request);
  }

  public int promptTokens(int request) {
    return columns.promptTokens(request);
  }

  public int outputTokens(int request) {
    return columns.outputTokens(request);
  }

  /// All blocks of the request.
  public int blockCount(int request) {
    return columns.blockCount(request);
  }

  /// Those of its blocks that the prompt fills, or begins to fill.
  public int promptBlocks(int request) {
    return columns.promptBlocks(request);
  }

  /// The number of the block at `index` of the request.
  public int block(int request, int index) {
    return columns.block(request, index);
  }

  /// Blocks of all prompts: what hit rates are parts of.
  public long totalPromptBlocks() {
    long total = 0;
    for (int request = 0; request < requestCount(); request++) {
      total += promptBlocks(request);
    }
    return total;
  }

  /// Blocks of all requests.
  public long totalBlocks() {
    long total = 0;
    for (int request = 0; request < requestCount(); request++) {
      total += blockCount(request);
    }
    return total;
  }

  /// Blocks of the longest request.
  public int largestRequest() {
    int largest = 0;
    for (int request = 0; request < requestCount(); request++) {
      largest = Math.max(largest, blockCount(request));
    }
    return largest;
  }
}
