package io.kvasir.sim;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// The requests of a trace as columns that grow; their blocks lie one after the other in `blocks`.
final class TraceColumns {
  private int count;
  private long[] arrivalNanos = new long[64];
  private int[] promptTokens = new int[64];
  private int[] outputTokens = new int[64];
  private int[] promptBlocks = new int[64];
  private int[] start = new int[64];
  private int[] end = new int[64];
  private int[] blocks = new int[1024];
  private int used;

  int count() {
    return count;
  }

  int blocksUsed() {
    return used;
  }

  long arrivalNanos(int request) {
    return arrivalNanos[request];
  }

  int promptTokens(int request) {
    return promptTokens[request];
  }

  int outputTokens(int request) {
    return outputTokens[request];
  }

  int promptBlocks(int request) {
    return promptBlocks[request];
  }

  int blockCount(int request) {
    return end[request] - start[request];
  }

  int block(int request, int index) {
    return blocks[start[request] + index];
  }

  void addBlock(int block) {
    if (used == blocks.length) {
      blocks = Arrays.copyOf(blocks, used * 2);
    }
    blocks[used++] = block;
  }

  /// Ends a request: its blocks are those added since the last one's end.
  void addRequest(TraceRequest request) {
    if (count == start.length) {
      int room = count * 2;
      arrivalNanos = Arrays.copyOf(arrivalNanos, room);
      promptTokens = Arrays.copyOf(promptTokens, room);
      outputTokens = Arrays.copyOf(outputTokens, room);
      promptBlocks = Arrays.copyOf(promptBlocks, room);
      start = Arrays.copyOf(start, room);
      end = Arrays.copyOf(end, room);
    }
    arrivalNanos[count] = request.arrivalNanos();
    promptTokens[count] = request.promptTokens();
    outputTokens[count] = request.outputTokens();
    promptBlocks[count] = request.promptBlocks();
    start[count] = count == 0 ? 0 : end[count - 1];
    end[count] = used;
    count++;
  }

  /// The same requests by arrival; equal ones keep their order. This object is used up.
  TraceColumns byArrival() {
    boolean sorted = true;
    for (int i = 1; i < count; i++) {
      sorted &= arrivalNanos[i - 1] <= arrivalNanos[i];
    }
    if (sorted) {
      return this;
    }
    int[] order =
        IntStream.range(0, count)
            .boxed()
            .sorted(Comparator.comparingLong(request -> arrivalNanos[request]))
            .mapToInt(Integer::intValue)
            .toArray();
    long[] arrivals = new long[count];
    for (int i = 0; i < count; i++) {
      arrivals[i] = arrivalNanos[order[i]];
    }
    arrivalNanos = arrivals;
    promptTokens = permuted(promptTokens, order);
    outputTokens = permuted(outputTokens, order);
    promptBlocks = permuted(promptBlocks, order);
    start = permuted(start, order);
    end = permuted(end, order);
    return this;
  }

  private static int[] permuted(int[] values, int[] order) {
    int[] moved = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      moved[i] = values[order[i]];
    }
    return moved;
  }
}
