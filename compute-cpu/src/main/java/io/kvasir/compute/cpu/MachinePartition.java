package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.TileCall;
import io.kvasir.compute.x86.TileProducts;
import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// Attention of few queries over one partition in machine code, with the bits of the Vector API
/// code, or in bf16 with those of [WidePartition]. The kernels read the cache where it lies;
/// queries, scores and sums are in native memory. While they compute they ask for the rows that are
/// read next. One instance per thread.
final class MachinePartition {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int TILE = KvLayout.TILE_TOKENS;

  private final Instructions set;
  private final TileCall call;
  private final KvTiles tiles;
  private TileList keys = new TileList();
  private TileList values = new TileList();
  private TileList nextKeys = new TileList();
  private TileList nextValues = new TileList();
  private boolean isListed;
  private boolean isPaired;
  private @Nullable AttentionUnit nextUnit;
  private int nextIndex;

  // The rows that queries see: the partition's first one, and which ones from there.
  private int start;
  private int from;
  private int to;

  /// @param set the instructions that machine code is written in
  MachinePartition(KvTiles tiles, Instructions set) {
    this.tiles = tiles;
    this.set = set;
    call = new TileCall(set);
    Softmax.prepare(call);
  }

  /// Forgets all addresses: in another call of the backend they may be those of other rows.
  ///
  /// @param pairs whether that call computes in pairs of bf16
  void forget(boolean pairs) {
    isPaired = pairs;
    isListed = false;
    nextUnit = null;
  }

  /// Turns to the next kv head of the partition that was computed last.
  ///
  /// @return false where none was
  boolean nextHead() {
    if (isListed) {
      keys.nextHead();
      values.nextHead();
    }
    return isListed;
  }

  /// Turns to a partition that was expected.
  ///
  /// @return false where it was not
  @SuppressWarnings("ReferenceEquality") // units are objects that are reused
  boolean turnTo(AttentionUnit unit, int index) {
    isListed = unit == nextUnit && index == nextIndex;
    nextUnit = null;
    if (isListed) {
      TileList k = keys;
      TileList v = values;
      keys = nextKeys;
      values = nextValues;
      nextKeys = k;
      nextValues = v;
    }
    return isListed;
  }

  /// Says which rows the queries see.
  ///
  /// @param first of the partition
  /// @param low first row that is seen, from `first` on
  void rows(int first, int low, int high) {
    start = first;
    from = low;
    to = high;
  }

  /// Lists the rows of the unit that the tiles are open for.
  ///
  /// @return false where some of them have no machine code
  boolean list(AttentionCall of, int queries) {
    isListed = list(of, queries, keys, values);
    return isListed;
  }

  /// Lists rows that are likely to be computed next.
  void expect(AttentionCall of, AttentionUnit unit, int index, int queries) {
    if (list(of, queries, nextKeys, nextValues)) {
      nextUnit = unit;
      nextIndex = index;
      keys.expect(nextKeys);
      values.expect(nextValues);
    }
  }

  /// Expects the next kv head's rows of the same partition.
  void expectNextHead() {
    keys.expectNextHead();
    values.expectNextHead();
  }

  private boolean list(AttentionCall of, int queries, TileList k, TileList v) {
    k.clear();
    v.clear();
    if (from >= to) {
      return false;
    }
    long scores = call.scores().address();
    int t = from / TILE * TILE;
    while (t < to) {
      int count = tiles.findKeys(start + t, PartitionKernel.codesAt(t, to));
      TileProducts products = products(of.spec().keyDim());
      if (products == null) {
        return false;
      }
      k.addKeys(tiles, products, scores + (long) t * Float.BYTES, count, queries);
      t += count * TILE;
    }
    t = from / TILE * TILE;
    while (t < to) {
      int count = tiles.findValues(start + t, PartitionKernel.codesAt(t, to));
      TileProducts products = products(of.spec().valueDim());
      if (products == null) {
        return false;
      }
      int low = Math.max(0, from - t);
      v.addValues(
          tiles, products, scores + (long) t * Float.BYTES, low, Math.min(count * TILE, to - t));
      t += count * TILE;
    }
    return true;
  }

  private @Nullable TileProducts products(int dim) {
    return isPaired ? tiles.foundPairs(dim, set) : tiles.foundMachine(dim, set);
  }

  /// Sets `count` floats of the queries, from float `to` on.
  void query(float[] source, int at, int to, int count) {
    MemorySegment.copy(source, at, call.x(), FLOAT, (long) to * Float.BYTES, count);
  }

  /// Ends the setting of queries.
  void endQueries(int queries, int dim) {
    if (isPaired) {
      call.roundQueries(queries, dim);
    }
  }

  /// Computes scores.
  void score(int queries) {
    keys.score(call, queries);
  }

  /// Turns the scores of the first queries into weights, see [Softmax].
  void weigh(int queries, int low, int high, float scale) {
    MemorySegment s = call.scores();
    int first = low / TILE * TILE;
    int end = (high + TILE - 1) / TILE * TILE;
    if (first < low || high < end) {
      for (int q = 0; q < queries; q++) {
        hide(s, q, first, low);
        hide(s, q, high, end);
      }
    }
    call.weigh(queries, first, (end - first) / TILE, scale * Softmax.LOG2_E, isPaired);
  }

  private static void hide(MemorySegment scores, int query, int from, int to) {
    for (int i = from; i < to; i++) {
      scores.setAtIndex(FLOAT, (long) query * TileCall.ROW + i, Float.NEGATIVE_INFINITY);
    }
  }

  float largest(int query) {
    return call.largest(query);
  }

  float sum(int query) {
    return call.sum(query);
  }

  /// Copies the scores of a query from native memory.
  void scoresTo(float[] target, int query) {
    long row = (long) query * TileCall.ROW * Float.BYTES;
    MemorySegment.copy(
        call.scores(), FLOAT, row, target, query * FewQueries.ROW, PartitionKernel.TOKENS);
  }

  /// Copies the weights of a query to native memory.
  void weightsFrom(float[] source, int query) {
    long row = (long) query * TileCall.ROW * Float.BYTES;
    MemorySegment.copy(
        source, query * FewQueries.ROW, call.scores(), FLOAT, row, PartitionKernel.TOKENS);
  }

  /// Computes the weighted sums of values into `acc`, `[queries, dim]`.
  void add(float[] acc, int queries, int dim) {
    MemorySegment sums = call.acc();
    sums.asSlice(0, (long) queries * dim * Float.BYTES).fill((byte) 0);
    values.add(call, queries);
    MemorySegment.copy(sums, FLOAT, 0, acc, 0, queries * dim);
  }
}
