package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.TileCall;
import io.kvasir.compute.x86.TileCodes;
import io.kvasir.compute.x86.TileProducts;
import io.kvasir.compute.x86.WideCall;
import io.kvasir.compute.x86.WideProducts;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.Bf16Format;
import io.kvasir.kvcache.format.F16Format;
import io.kvasir.kvcache.format.KvFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// Attention of many queries over one partition in machine code, with the bits of the Vector API
/// code: 64 rows at a time are decoded for all queries, which then go through them in blocks. Rows
/// that machine code cannot decode are decoded by [KvTiles].
///
/// In the arithmetic of bf16, a cache of 16-bit numbers is computed on in pairs, whatever the
/// number of queries: queries, keys, weights and values are rounded to bf16, and
///
/// ```
/// s = (k[c] q[c] + (k[c + 1] q[c + 1] + s))    acc = (p[j] v[j] + (p[j + 1] v[j + 1] + acc))
/// ```
///
/// for even `c` and `j`, each rounded to f32 once; a row that a query does not see counts as 0, its
/// weight too. One instance per thread.
final class WidePartition {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int PAIR = 2 * TILE;
  private static final int SHAPES = 8;

  private final Instructions set;
  private final WideCall call;
  private final KvTiles tiles;

  /// Products for the shapes that were met last.
  private final @Nullable WideProducts[] known = new WideProducts[SHAPES];

  private int nextKnown;
  private float[] numbers = {};
  private float[] scales = {};

  /// What the rows that were decoded last are.
  private int part;

  private int group;

  /// Whether bf16 may be computed with, and whether the rows that were decoded last are pairs.
  private final boolean isBf16;

  private boolean isPaired;

  /// @param set the instructions that machine code is written in
  WidePartition(KvTiles tiles, Instructions set, boolean isBf16) {
    this.tiles = tiles;
    this.set = set;
    call = new WideCall(set);
    this.isBf16 = isBf16;
    Softmax.prepare(call.softmax());
  }

  /// Whether rows are computed on in pairs of bf16.
  boolean isPaired(AttentionCall of) {
    return isBf16 && fits(of) && isSixteenBits(of.keyFormat()) && isSixteenBits(of.valueFormat());
  }

  private static boolean isSixteenBits(KvFormat format) {
    return format instanceof F16Format || format instanceof Bf16Format;
  }

  private static boolean fits(AttentionCall of) {
    return !of.valuesInKeys()
        && WideProducts.Shape.fits(of.spec().keyDim(), 0)
        && WideProducts.Shape.fits(of.spec().valueDim(), 0);
  }

  /// Makes room for so many queries.
  ///
  /// @return false where there is no machine code
  boolean begin(AttentionCall of, int queries) {
    AttentionSpec spec = of.spec();
    if (!fits(of)) {
      return false;
    }
    isPaired = isPaired(of);
    call.room(queries, spec.keyDim(), spec.valueDim());
    int size = PAIR * Math.max(spec.keyDim(), spec.valueDim());
    if (numbers.length < size) {
      numbers = new float[size];
      scales = new float[size];
    }
    return true;
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

  /// Computes scores of the rows `first .. last - 1` of a partition, and of others around them.
  ///
  /// @param start the partition's first row
  /// @param first a multiple of 16
  void score(AttentionSpec spec, int queries, int start, int first, int last) {
    int t = first;
    while (t < last) {
      int count = alike(start + t, PartitionKernel.codesAt(t, last));
      int done = 0;
      while (done < count) {
        done += readKeys(start + t + done * TILE, done, count - done, spec.keyDim());
      }
      products(spec.keyDim()).score(call, queries, t);
      t += count * TILE;
    }
  }

  /// Turns scores of at most eight neighbouring queries, which see the same rows, into weights.
  void weigh(int query, int queries, int low, int high, float scale) {
    int first = low / TILE * TILE;
    int end = (high + TILE - 1) / TILE * TILE;
    for (int q = query; q < query + queries; q++) {
      hide(q, first, low);
      hide(q, high, end);
    }
    call.weigh(query, queries, first, (end - first) / TILE, scale * Softmax.LOG2_E, isPaired);
  }

  private void hide(int query, int from, int to) {
    for (int i = from; i < to; i++) {
      call.scores().setAtIndex(FLOAT, (long) query * TileCall.ROW + i, Float.NEGATIVE_INFINITY);
    }
  }

  /// The largest score of the `i`th of the queries that were weighed last.
  float largest(int i) {
    return call.softmax().largest(i);
  }

  /// The sum of its weights.
  float sum(int i) {
    return call.softmax().sum(i);
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
  ///
  /// @param from first row that each query sees
  /// @param to behind the last one
  void add(AttentionSpec spec, PartitionKernel.Span span, int[] from, int[] to, float[] acc) {
    int dim = spec.valueDim();
    int queries = span.queries;
    MemorySegment sums = call.acc();
    sums.asSlice(0, (long) queries * dim * Float.BYTES).fill((byte) 0);
    int t = span.first;
    while (t < span.last) {
      int count = alike(span.start + t, PartitionKernel.codesAt(t, span.last));
      int done = 0;
      while (done < count) {
        done += readValues(span.start + t + done * TILE, done, count - done, dim);
      }
      WideProducts products = products(dim);
      products.fold(call, queries, t);
      int end = t + count * TILE;
      int q = 0;
      while (q < queries) {
        int low = Math.max(from[q], t);
        int high = Math.min(to[q], end);
        int next = q + 1;
        while (next < queries
            && Math.max(from[next], t) == low
            && Math.min(to[next], end) == high) {
          next++;
        }
        if (low < high && isPaired) {
          addPairs(products, q, next - q, t, low - t, high - t);
        } else if (low < high) {
          products.add(call, q, next - q, t, low - t, high - t);
        }
        q = next;
      }
      t = end;
    }
    MemorySegment.copy(sums, FLOAT, 0, acc, 0, queries * dim);
  }

  /// Adds rows `low .. high - 1` of the decoded ones, which start at row `t` of the partition.
  private void addPairs(WideProducts of, int query, int queries, int t, int low, int high) {
    int dim = of.shape().dim();
    int from = (low + 1) / 2 * 2;
    int to = high / 2 * 2;
    if (low < from) {
      call.maskPair(low / 2, false, dim);
      of.addMasked(call, query, queries, low / 2);
    }
    if (from < to) {
      of.add(call, query, queries, t, from, to);
    }
    if (to < high) {
      call.maskPair(to / 2, true, dim);
      of.addMasked(call, query, queries, to / 2);
    }
  }

  /// How many of `count` tiles are of one format.
  private int alike(int row, int count) {
    int same = 1;
    while (same < count && tiles.areAlike(row, row + same * TILE)) {
      same++;
    }
    return same;
  }

  /// Decodes tiles of keys.
  ///
  /// @param tile where they are put
  /// @return how many
  private int readKeys(int row, int tile, int count, int dim) {
    int found = tiles.findKeys(row, count);
    TileProducts machine = tiles.foundMachine(dim, set);
    if (machine != null) {
      decode(machine.codes(), true, tile, found);
      return found;
    }
    int few = Math.min(2, count);
    group = Math.min(dim, tiles.readKeys(row, few, numbers, scales));
    part = group;
    copy(tile, few, dim);
    return few;
  }

  private int readValues(int row, int tile, int count, int dim) {
    int found = tiles.findValues(row, count);
    TileProducts machine = tiles.foundMachine(dim, set);
    if (machine != null) {
      decode(machine.codes(), false, tile, found);
      return found;
    }
    int few = Math.min(2, count);
    group = Math.min(dim, tiles.readValues(row, few, numbers, scales));
    part = group;
    copy(tile, few, dim);
    return few;
  }

  private void decode(TileCodes codes, boolean isKeys, int tile, int count) {
    part = codes.part();
    group = codes.group();
    int[] levels = tiles.foundMachine().levels();
    if (levels.length > 0) {
      call.levels(levels);
    }
    long plane = tiles.foundAddress();
    long row = tiles.foundSlot();
    if (isPaired) {
      call.decodePairs(codes, isKeys, plane + row * codes.rowBytes(), tile, count);
      return;
    }
    long scale =
        plane + (long) tiles.blockTokens() * codes.rowBytes() + row * codes.groups() * Short.BYTES;
    call.decode(codes, isKeys, plane + row * codes.rowBytes(), scale, tile, count);
  }

  private void copy(int tile, int count, int dim) {
    long at = (long) tile * TILE * dim * Float.BYTES;
    MemorySegment.copy(numbers, 0, call.numbers(), FLOAT, at, count * TILE * dim);
    if (group > 0) {
      int size = TILE * ((dim + group - 1) / group);
      MemorySegment.copy(
          scales, 0, call.scales(), FLOAT, (long) tile * size * Float.BYTES, count * size);
    }
  }

  /// The products of rows such as were decoded last.
  private WideProducts products(int dim) {
    for (WideProducts products : known) {
      if (products != null && products.shape().is(dim, part, group, isPaired)) {
        return products;
      }
    }
    WideProducts products =
        WideProducts.of(set, new WideProducts.Shape(dim, part, group, isPaired));
    known[nextKnown] = products;
    nextKnown = (nextKnown + 1) % SHAPES;
    return products;
  }
}
