package io.kvasir.sim;

import java.util.Arrays;
import java.util.SplittableRandom;

/// Collects the requests of a [Trace] and numbers their blocks.
///
/// Bounded: no more than [#MAX_BLOCKS] blocks and [#MAX_REQUESTS] requests, which take about 1 GiB.
public final class TraceBuilder {
  public static final int MAX_BLOCKS = 1 << 25;
  public static final int MAX_REQUESTS = 1 << 23;
  public static final int MAX_REQUEST_BLOCKS = 1 << 20;

  private final TraceColumns columns = new TraceColumns();
  private int requestStart;

  // An open-addressing map from a block's hash to its number. Its order is another in each run, so
  // that no file can be written whose hashes all meet in one place; numbers do not depend on it.
  private final long seed = new SplittableRandom().nextLong();
  private int[] slots = new int[1 << 10];
  private long[] hashes = new long[1 << 9];
  private int distinct;

  public TraceBuilder() {
    Arrays.fill(slots, -1);
  }

  /// Adds the next block of the request that [#endRequest] will end.
  public void block(long hash) {
    if (columns.blocksUsed() == MAX_BLOCKS) {
      throw new TraceFormatException(
          "the trace has more than " + MAX_BLOCKS + " blocks; use a part of it");
    }
    if (columns.blocksUsed() - requestStart == MAX_REQUEST_BLOCKS) {
      throw new TraceFormatException(
          "a request has more than "
              + MAX_REQUEST_BLOCKS
              + " blocks, which no model's context has");
    }
    columns.addBlock(number(hash));
  }

  /// Blocks added since the last request ended.
  public int openBlocks() {
    return columns.blocksUsed() - requestStart;
  }

  /// Ends a request.
  public void endRequest(TraceRequest request) {
    if (columns.count() == MAX_REQUESTS) {
      throw new TraceFormatException(
          "the trace has more than " + MAX_REQUESTS + " requests; use a part of it");
    }
    columns.addRequest(request);
    requestStart = columns.blocksUsed();
  }

  /// The trace in the order in which requests were added.
  public Trace inOrder(String name, int blockTokens) {
    return new Trace(name, blockTokens, Arrays.copyOf(hashes, distinct), columns);
  }

  /// The trace in the order in which requests arrived.
  public Trace byArrival(String name, int blockTokens) {
    return new Trace(name, blockTokens, Arrays.copyOf(hashes, distinct), columns.byArrival());
  }

  private int number(long hash) {
    int mask = slots.length - 1;
    int slot = (int) Mix.mix(hash ^ seed) & mask;
    while (slots[slot] >= 0) {
      if (hashes[slots[slot]] == hash) {
        return slots[slot];
      }
      slot = slot + 1 & mask;
    }
    if (distinct == hashes.length) {
      grow();
      return number(hash);
    }
    hashes[distinct] = hash;
    slots[slot] = distinct;
    return distinct++;
  }

  private void grow() {
    hashes = Arrays.copyOf(hashes, hashes.length * 2);
    slots = new int[hashes.length * 2];
    Arrays.fill(slots, -1);
    int mask = slots.length - 1;
    for (int block = 0; block < distinct; block++) {
      int slot = (int) Mix.mix(hashes[block] ^ seed) & mask;
      while (slots[slot] >= 0) {
        slot = slot + 1 & mask;
      }
      slots[slot] = block;
    }
  }
}
