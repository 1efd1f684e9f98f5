package io.kvasir.sim;

import java.util.Arrays;

/// Which request asks for a block next: the future of a trace, known only because it is over.
final class NextUse {
  /// The answer where no later request asks for the block.
  static final int NEVER = Integer.MAX_VALUE;

  private final int[] start;
  private final int[] requests;

  NextUse(Trace trace) {
    start = new int[trace.distinctBlocks() + 1];
    for (int request = 0; request < trace.requestCount(); request++) {
      for (int i = 0; i < trace.promptBlocks(request); i++) {
        start[trace.block(request, i) + 1]++;
      }
    }
    for (int block = 0; block < trace.distinctBlocks(); block++) {
      start[block + 1] += start[block];
    }
    requests = new int[start[trace.distinctBlocks()]];
    int[] at = Arrays.copyOf(start, trace.distinctBlocks());
    for (int request = 0; request < trace.requestCount(); request++) {
      for (int i = 0; i < trace.promptBlocks(request); i++) {
        requests[at[trace.block(request, i)]++] = request;
      }
    }
  }

  /// The first request behind `request` whose prompt has the block.
  int after(int block, int request) {
    int low = start[block];
    int high = start[block + 1];
    while (low < high) {
      int middle = low + high >>> 1;
      if (requests[middle] <= request) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < start[block + 1] ? requests[low] : NEVER;
  }
}
