package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.PrunedTokens;
import java.util.Arrays;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/// Attention of a unit's queries over one partition of the positions, and the merging of
/// partitions.
///
/// Positions are cut into partitions of [#TOKENS] at absolute multiples, whatever the block size,
/// the chunk of the prompt or the number of threads. Within a partition, for query `q`:
///
/// ```
/// s[j] = cap(scale * (q . k[j] + q . centre)) - slope * distance
/// m = max s        p[j] = e^(s[j] - m)        l = sum p[j]        acc = sum p[j] v[j]
/// ```
///
/// Partitions are merged in ascending order by rescaling to the larger maximum (online softmax,
/// Milakov & Gimelshein, arXiv 1805.02867; split over the keys as in Flash-Decoding, Dao et al.
/// 2023). Decode and prefill run this same code, so a position's result does not depend on which.
///
/// The rows that pruning left of a sequence's beginning come first, in partitions of their own:
/// what is said of positions here holds for their numbers then.
///
/// Keys and values are read in pairs of tiles (16 positions, which never straddle a block),
/// unpacked once for all queries of the unit. f32 throughout, but where [WidePartition] says so.
/// One instance per thread; arrays grow and stay.
final class PartitionKernel {
  static final int TOKENS = 256;
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int PAIR = 2 * TILE;
  private static final int SIDE = 4;

  private static final int ROW = FewQueries.ROW;

  /// Up to so many queries compute on codes, each time anew; more share what is unpacked once.
  private static final int FEW = 8;

  /// Largest score, sum of weights and weighted sum of values of each query after [#run].
  float[] max = {};

  float[] sum = {};
  float[] acc = {};

  private final KvTiles tiles = new KvTiles();
  private final ScoreTile scoreTile = new ScoreTile();
  private final DotTile dots = new DotTile();
  private final ValueTile valueTile = new ValueTile();
  private final Softmax softmax = new Softmax();
  private final FewQueries few = new FewQueries();
  private final @Nullable MachinePartition machine;
  private final @Nullable WidePartition wide;
  private final Span span = new Span();

  // What is likely to be computed next.
  private boolean expectsHead;
  private @Nullable AttentionUnit nextUnit;
  private int nextIndex;

  /// The unit whose queries [#wide] has.
  private @Nullable AttentionUnit wideUnit;

  /// The first position of the partition, or the number of the first kept row.
  private int start;

  /// Whose rows the partition has, where they are not positions.
  private @Nullable PrunedTokens kept;

  /// Whether all queries see the same, and are few enough to compute on codes.
  private boolean isFew;

  private float[] numbers = {};
  private float[] scales = {};
  private float[] folded = {};
  private float[] scores = {};
  private int[] from = {};
  private int[] to = {};

  /// What some queries see of a partition. Mutable, so that nothing is allocated in a step.
  static final class Span {
    int queries;

    /// The partition's first row.
    int start;

    /// The first row from there, a multiple of 16.
    int first;

    /// Behind the last one.
    int last;
  }

  /// @param code whether machine code is used where there is some
  PartitionKernel(KernelCode code) {
    Instructions set = code.instructions();
    machine = set == null ? null : new MachinePartition(tiles, set);
    wide = set == null ? null : new WidePartition(tiles, set, code.isBf16());
  }

  /// Forgets what was computed before, at the start of a call.
  void forget(AttentionCall call) {
    expect(false, null, 0);
    wideUnit = null;
    if (machine != null) {
      machine.forget(wide != null && wide.isPaired(call));
    }
  }

  /// Says what is likely to be computed after the next [#run].
  ///
  /// @param nextHead the next kv head of the same partition
  /// @param unit otherwise a partition of this one, or null where that is not known
  void expect(boolean nextHead, @Nullable AttentionUnit unit, int index) {
    expectsHead = nextHead;
    nextUnit = unit;
    nextIndex = index;
  }

  /// Computes [#max], [#sum] and [#acc] `[queries, valueDim]` of the unit over one partition.
  ///
  /// @param index of the unit's partitions
  /// @param heads kv heads from the unit's on that are computed next over the same partition; 0
  ///   where it was computed for another head just before
  void run(AttentionCall call, AttentionUnit unit, int index, int heads) {
    AttentionSpec spec = call.spec();
    int queries = unit.rows * spec.groupSize();
    grow(spec, queries);
    begin(call, unit, index);
    int first = TOKENS;
    int last = 0;
    for (int q = 0; q < queries; q += spec.groupSize()) {
      first = Math.min(first, from[q]);
      last = Math.max(last, to[q]);
    }
    first = first / TILE * TILE;
    isFew =
        isFew(queries)
            && spec.keyDim() <= FewQueries.MOST_CHANNELS
            && from[0] == from[queries - 1]
            && to[0] == to[queries - 1];
    if (machine != null && isFew && runMachine(call, unit, index, heads)) {
      return;
    }
    if (wide != null && !isFew && wide.begin(call, queries)) {
      span.queries = queries;
      span.start = start;
      span.first = first;
      span.last = last;
      runWide(call, unit, wide);
      return;
    }
    Arrays.fill(acc, 0, queries * spec.valueDim(), 0f);
    if (isFew) {
      for (int q = 0; q < queries; q++) {
        int at = q * FewQueries.MOST_CHANNELS;
        System.arraycopy(call.queries(), queryAt(call, unit, q), few.x, at, spec.keyDim());
      }
    }
    tiles.open(call, unit, kept, heads);
    if (call.valuesInKeys()) {
      scoreRows(call, unit, first, last);
    } else {
      scoreTiles(call, unit, first, last);
    }
    for (int q = 0; q < queries; q++) {
      weigh(call, unit, q);
    }
    if (call.valuesInKeys()) {
      addRows(call, queries, first, last);
    } else {
      addTiles(call, queries, first, last);
    }
  }

  /// Whether queries are so few that codes are not worth unpacking.
  static boolean isFew(int queries) {
    return queries <= FEW;
  }

  /// The same in machine code.
  ///
  /// @return false where it has none
  private boolean runMachine(AttentionCall call, AttentionUnit unit, int index, int heads) {
    MachinePartition m = Objects.requireNonNull(machine);
    AttentionSpec spec = call.spec();
    int queries = unit.rows * spec.groupSize();
    if (call.valuesInKeys() || from[0] >= to[0]) {
      return false;
    }
    boolean isNext = heads == 0 && unit.pageCount == 0 ? m.nextHead() : m.turnTo(unit, index);
    if (!isNext) {
      tiles.open(call, unit, kept, 0);
      m.rows(start, from[0], to[0]);
      if (!m.list(call, queries)) {
        return false;
      }
    }
    expectNext(call, unit, index, m);
    int size = spec.groupSize() * spec.keyDim();
    for (int row = 0; row < unit.rows; row++) {
      int at = queryAt(call, unit, row * spec.groupSize());
      m.query(call.queries(), at, row * size, size);
    }
    m.endQueries(queries, spec.keyDim());
    m.score(queries);
    weigh(call, unit, queries, m);
    m.add(acc, queries, spec.valueDim());
    return true;
  }

  /// Many queries in machine code.
  @SuppressWarnings("ReferenceEquality") // units are objects that are reused in the next call only
  private void runWide(AttentionCall call, AttentionUnit unit, WidePartition w) {
    AttentionSpec spec = call.spec();
    tiles.open(call, unit, kept, 0);
    int size = spec.groupSize() * spec.keyDim();
    if (unit != wideUnit) {
      for (int row = 0; row < unit.rows; row++) {
        w.query(call.queries(), queryAt(call, unit, row * spec.groupSize()), row * size, size);
      }
      w.endQueries(span.queries, spec.keyDim());
      wideUnit = unit;
    }
    w.score(spec, span.queries, start, span.first, span.last);
    boolean isPlain = spec.softcap() == 0 && !call.hasSlopes() && spec.scale() > 0;
    int q = 0;
    while (q < span.queries) {
      int end = q + 1;
      if (!isPlain || from[q] >= to[q]) {
        w.scoresTo(scores, q);
        weigh(call, unit, q);
        w.weightsFrom(scores, q);
      } else {
        while (end < span.queries && end < q + FEW && from[end] == from[q] && to[end] == to[q]) {
          end++;
        }
        weigh(call, unit, w, q, end);
      }
      q = end;
    }
    w.add(spec, span, from, to, acc);
  }

  /// Turns the products of queries that see the same into weights.
  private void weigh(AttentionCall call, AttentionUnit unit, WidePartition w, int q, int end) {
    AttentionSpec spec = call.spec();
    w.weigh(q, end - q, from[q], to[q], spec.scale());
    int group = spec.groupSize();
    for (int i = q; i < end; i++) {
      float centre = call.centreProduct(unit.firstRow + i / group, unit.head, i % group);
      max[i] = (w.largest(i - q) + centre) * spec.scale();
      sum[i] = w.sum(i - q);
    }
  }

  private void expectNext(AttentionCall call, AttentionUnit unit, int index, MachinePartition m) {
    AttentionUnit next = nextUnit;
    if (expectsHead) {
      m.expectNextHead();
    } else if (next != null && next.rows == unit.rows) {
      int group = call.spec().groupSize();
      begin(call, next, nextIndex);
      if (from[0] == from[next.rows * group - 1] && to[0] == to[next.rows * group - 1]) {
        tiles.open(call, next, kept, 0);
        m.rows(start, from[0], to[0]);
        m.expect(call, next, nextIndex, unit.rows * group);
      }
      begin(call, unit, index);
    }
  }

  /// Turns the products of all queries into weights.
  private void weigh(AttentionCall call, AttentionUnit unit, int queries, MachinePartition m) {
    AttentionSpec spec = call.spec();
    if (spec.softcap() != 0 || call.hasSlopes() || spec.scale() <= 0) {
      for (int q = 0; q < queries; q++) {
        m.scoresTo(scores, q);
        weigh(call, unit, q);
        m.weightsFrom(scores, q);
      }
      return;
    }
    m.weigh(queries, from[0], to[0], spec.scale());
    int group = spec.groupSize();
    for (int q = 0; q < queries; q++) {
      float centre = call.centreProduct(unit.firstRow + q / group, unit.head, q % group);
      max[q] = (m.largest(q) + centre) * spec.scale();
      sum[q] = m.sum(q);
    }
  }

  private void grow(AttentionSpec spec, int queries) {
    int size = PAIR * Math.max(spec.keyDim(), spec.valueDim());
    if (numbers.length < size) {
      numbers = new float[size];
      scales = new float[size];
      folded = new float[SIDE * size];
    }
    if (max.length < queries) {
      max = new float[queries];
      sum = new float[queries];
      from = new int[queries];
      to = new int[queries];
    }
    // Room for whole fours.
    int rows = (queries + SIDE - 1) / SIDE * SIDE;
    if (scores.length < rows * ROW) {
      scores = new float[rows * ROW];
    }
    if (acc.length < rows * spec.valueDim()) {
      acc = new float[rows * spec.valueDim()];
    }
  }

  /// Turns to a partition: of the exact first rows of a pruned sequence, of the rows that pruning
  /// kept, or of positions.
  private void begin(AttentionCall call, AttentionUnit unit, int index) {
    int group = call.spec().groupSize();
    int next = index - unit.sinkPartitions;
    boolean isKept = next >= 0 && next < unit.keptPartitions;
    PrunedTokens pruned = call.pruned(unit);
    kept = isKept ? pruned : null;
    if (pruned != null && next < unit.keptPartitions) {
      int rows =
          isKept ? pruned.count(call.spec().cacheLayer(), unit.head) : call.sinksBefore(pruned);
      start = (isKept ? next : index) * TOKENS;
      Arrays.fill(from, 0, unit.rows * group, 0);
      Arrays.fill(to, 0, unit.rows * group, Math.min(TOKENS, rows - start));
      return;
    }
    start = (unit.fromPartition + next - unit.keptPartitions) * TOKENS;
    if (unit.pageCount > 0) {
      int position = call.batch().positions()[unit.firstRow];
      Arrays.fill(from, 0, group, 0);
      Arrays.fill(to, 0, group, Math.min(TOKENS, unit.rowsInPages(position) - start));
      return;
    }
    for (int i = 0; i < unit.rows; i++) {
      int position = call.batch().positions()[unit.firstRow + i];
      int low = Math.max(0, call.firstLive(unit, position) - start);
      int high = Math.min(TOKENS, position + 1 - start);
      Arrays.fill(from, i * group, (i + 1) * group, low);
      Arrays.fill(to, i * group, (i + 1) * group, high);
    }
  }

  /// Tiles from `t` on that are read at once: two that start at a multiple of 32 and are both on
  /// the same side of what is exact, else one.
  private int tilesAt(int t, int last) {
    boolean pair = t % PAIR == 0 && t + TILE < last;
    return pair && tiles.areAlike(start + t, start + t + TILE) ? 2 : 1;
  }

  /// `scores[q, j] = q . k[j]`.
  private void scoreTiles(AttentionCall call, AttentionUnit unit, int first, int last) {
    int queries = unit.rows * call.spec().groupSize();
    ScoreTile s = scoreTile;
    s.dim = call.spec().keyDim();
    s.keys = numbers;
    s.scales = scales;
    s.x = call.queries();
    s.scores = scores;
    int t = first;
    while (t < last) {
      if (isFew && tiles.hasKeyProducts(start + t)) {
        t += TILE * scoreCodes(call, unit, t, last);
        continue;
      }
      int count = tilesAt(t, last);
      s.group = tiles.readKeys(start + t, count, numbers, scales);
      for (int q = 0; q < queries; q += SIDE) {
        for (int i = 0; i < SIDE; i++) {
          // The last query is computed again where four are not left.
          int query = Math.min(q + i, queries - 1);
          s.xAt[i] = queryAt(call, unit, query);
          s.out[i] = query * ROW + t;
        }
        s.run(count);
      }
      t += count * TILE;
    }
  }

  /// The products of few queries with the keys from `t` on, as far as 64 tokens reach.
  ///
  /// @return tiles
  private int scoreCodes(AttentionCall call, AttentionUnit unit, int t, int last) {
    int queries = unit.rows * call.spec().groupSize();
    int count = tiles.findKeys(start + t, codesAt(t, last));
    few.scores = scores;
    for (int q = 0; q < queries; q += SIDE) {
      few.count = Math.min(SIDE, queries - q);
      few.xFrom = q * FewQueries.MOST_CHANNELS;
      few.out = q * ROW + t;
      tiles.score(few);
    }
    return count;
  }

  private int addCodes(AttentionCall call, int queries, int t, int last) {
    int count = tiles.findValues(start + t, codesAt(t, last));
    int dim = call.spec().valueDim();
    few.scores = scores;
    few.acc = acc;
    few.from = Math.max(0, from[0] - t);
    few.to = Math.min(count * TILE, to[0] - t);
    for (int q = 0; q < queries; q += SIDE) {
      few.count = Math.min(SIDE, queries - q);
      few.out = q * ROW + t;
      few.accAt = q * dim;
      tiles.add(few);
    }
    return count;
  }

  /// Tiles from `t` on that few queries compute on at once: up to a multiple of 64, so that they
  /// are on the same side of what is exact.
  static int codesAt(int t, int last) {
    int end = Math.min(last, (t / FewQueries.TOKENS + 1) * FewQueries.TOKENS);
    return (end - t + TILE - 1) / TILE;
  }

  /// The same over latent rows, which are rows of values too and so not turned into columns.
  private void scoreRows(AttentionCall call, AttentionUnit unit, int first, int last) {
    int dim = call.spec().keyDim();
    int queries = unit.rows * call.spec().groupSize();
    for (int t = first; t < last; t += TILE) {
      int count = Math.min(TILE, last - t);
      tiles.readRows(start + t, numbers);
      for (int q = 0; q < queries; q += DotTile.SIDE) {
        for (int i = 0; i < DotTile.SIDE; i++) {
          dots.inputRow(i, queryAt(call, unit, Math.min(q + i, queries - 1)));
        }
        for (int j = 0; j < count; j += DotTile.SIDE) {
          dots.weightRows(0, dim, j, count - 1);
          dots.multiply(numbers, call.queries(), dim);
          for (int i = 0; i < Math.min(DotTile.SIDE, queries - q); i++) {
            System.arraycopy(dots.sums, i * DotTile.SIDE, scores, (q + i) * ROW + t + j, 4);
          }
        }
      }
    }
  }

  private static int queryAt(AttentionCall call, AttentionUnit unit, int query) {
    int group = call.spec().groupSize();
    return call.queryAt(unit.firstRow + query / group, unit.head, query % group);
  }

  /// Turns the products of a query into logits, and those into weights.
  private void weigh(AttentionCall call, AttentionUnit unit, int query) {
    AttentionSpec spec = call.spec();
    int r = query % spec.groupSize();
    int row = unit.firstRow + query / spec.groupSize();
    int base = query * ROW;
    int low = base + from[query];
    int high = base + to[query];
    if (low >= high) {
      max[query] = Float.NEGATIVE_INFINITY;
      sum[query] = 0;
      return;
    }
    float centre = call.centreProduct(row, unit.head, r);
    float slope = call.slope(unit.head, r);
    if (spec.softcap() == 0 && slope == 0 && spec.scale() > 0) {
      softmax.run(scores, low, high, centre, spec.scale());
    } else {
      for (int i = low; i < high; i++) {
        scores[i] = (scores[i] + centre) * spec.scale();
      }
      if (spec.softcap() != 0) {
        VectorMath.softcap(scores, low, high, spec.softcap());
      }
      if (slope != 0) {
        addDistance(call, unit, query, slope);
      }
      softmax.run(scores, low, high, 0, 1);
    }
    max[query] = softmax.max;
    sum[query] = softmax.sum;
  }

  private void addDistance(AttentionCall call, AttentionUnit unit, int query, float slope) {
    PrunedTokens rows = kept;
    int layer = call.spec().cacheLayer();
    int position = call.batch().positions()[unit.firstRow + query / call.spec().groupSize()];
    for (int i = from[query]; i < to[query]; i++) {
      int at =
          rows == null
              ? KvTiles.positionOf(unit, start + i)
              : rows.position(layer, unit.head, start + i);
      scores[query * ROW + i] += slope * (at - position);
    }
  }

  /// `acc[q] += sum over j of p[q, j] v[j]`.
  private void addTiles(AttentionCall call, int queries, int first, int last) {
    ValueTile v = valueTile;
    v.dim = call.spec().valueDim();
    v.values = numbers;
    v.valueStride = v.dim;
    v.acc = acc;
    int t = first;
    while (t < last) {
      if (isFew && tiles.hasValueProducts(start + t)) {
        t += TILE * addCodes(call, queries, t, last);
        continue;
      }
      int count = tilesAt(t, last);
      v.group = tiles.readValues(start + t, count, numbers, scales);
      addQueries(v, queries, t, Math.min(count * TILE, last - t));
      t += count * TILE;
    }
  }

  private void addRows(AttentionCall call, int queries, int first, int last) {
    ValueTile v = valueTile;
    v.dim = call.spec().valueDim();
    v.values = numbers;
    v.valueStride = call.spec().keyDim();
    v.acc = acc;
    v.group = 0;
    for (int t = first; t < last; t += TILE) {
      tiles.readRows(start + t, numbers);
      addQueries(v, queries, t, Math.min(TILE, last - t));
    }
  }

  /// Adds `count` unpacked rows from position `t` of the partition on.
  private void addQueries(ValueTile v, int queries, int t, int count) {
    int q = 0;
    while (q < queries) {
      int side = q + SIDE <= queries && seesAll(q, t, count) ? SIDE : 1;
      for (int i = 0; i < side; i++) {
        v.weightAt[i] = v.group == 0 ? (q + i) * ROW + t : fold(v, i, (q + i) * ROW + t);
      }
      v.weights = v.group == 0 ? scores : folded;
      v.groupStride = v.group == 0 ? 0 : PAIR;
      if (side == SIDE) {
        v.addFour(q, 0, count);
      } else {
        v.addOne(q, Math.max(0, from[q] - t), Math.min(count, to[q] - t));
      }
      q += side;
    }
  }

  /// Multiplies the weights from `at` on with the scales of each group of channels.
  ///
  /// @return where they start in [#folded]
  private int fold(ValueTile v, int i, int at) {
    int groups = (v.dim + v.group - 1) / v.group;
    int base = i * groups * PAIR;
    for (int g = 0; g < groups; g++) {
      int to = base + g * PAIR;
      for (int t = 0; t < TILE; t += L) {
        FloatVector.fromArray(F, scores, at + t)
            .mul(FloatVector.fromArray(F, scales, g * TILE + t))
            .intoArray(folded, to + t);
        FloatVector.fromArray(F, scores, at + TILE + t)
            .mul(FloatVector.fromArray(F, scales, (groups + g) * TILE + t))
            .intoArray(folded, to + TILE + t);
      }
    }
    return base;
  }

  /// True where the four queries see all of `count` rows.
  private boolean seesAll(int query, int t, int count) {
    return Math.max(from[query], from[query + SIDE - 1]) <= t
        && Math.min(to[query], to[query + SIDE - 1]) >= t + count;
  }
}
