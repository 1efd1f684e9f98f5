package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.PrunedTokens;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Attention over the paged cache, cut into independent parts for the pool.
///
/// The work is a list of units: (sequence, kv head, block of query rows). Where there are enough of
/// them, a unit is a part and goes through its partitions in order; where there are few, as in the
/// decoding of one long sequence, each partition of each unit is a part of its own and the partial
/// results are merged afterwards, in the same order and with the same bits. See [PartitionKernel].
/// What decoding sequences share is computed before, by [SharedPrefixes].
///
/// Bytes moved per unit: the key and value rows that its rows see, once; those of a shared prefix
/// once for up to 96 query heads of all its sequences.
final class CpuAttention {
  /// Query heads that a tile is decoded for at once.
  static final int UNIT_QUERIES = 96;

  /// The same where there are enough for all threads.
  private static final int MOST_UNIT_QUERIES = 192;

  private static final int UNITS_PER_THREAD = 4;
  private static final int SERIAL_ROWS = 8;
  private static final int PARTS_PER_THREAD = 4;

  /// Most floats of partial results where units could do without them.
  private static final int MOST_FLOATS = 4 << 20;

  /// Most floats of partial results at all: fewer threads are busy then, but none runs out of
  /// memory.
  private static final int MOST_PARTIAL_FLOATS = 64 << 20;

  /// Most bytes of keys and values that a part reads.
  private static final int PART_BYTES = 256 << 10;

  private final KernelPool pool;
  private final PartitionKernel[] kernels;
  private final AttentionState[] states;
  private final KvStore[] stores;
  private final SharedPrefixes shared;
  private final PageChooser chooser;
  private final KernelPool.Region wholeUnits = this::runUnit;
  private final KernelPool.Region partitions = this::runPartition;
  private final KernelPool.Region merges = this::mergeUnit;
  private final KernelPool.Region storing = this::storeRows;
  private final KernelPool.Region encoding = this::encodeTiles;
  private final KernelPool.Region entering = this::enterRows;

  private AttentionUnit[] units = new AttentionUnit[0];
  private int unitCount;

  /// Of each part: its first unit, how many units of neighbouring heads it takes, its partition.
  private int[] partUnit = {};

  private int[] partHeads = {};
  private int[] partIndex = {};
  private int partCount;
  private int itemCount;
  private float[] partials = {};
  private int partialSize;
  private AttentionCall current = new AttentionCall();
  private float[] newKeys = {};
  private float @Nullable [] newValues;

  CpuAttention(KernelPool pool, KernelCode code) {
    this.pool = pool;
    kernels = new PartitionKernel[pool.threads()];
    states = new AttentionState[pool.threads()];
    stores = new KvStore[pool.threads()];
    for (int i = 0; i < pool.threads(); i++) {
      kernels[i] = new PartitionKernel(code);
      states[i] = new AttentionState();
      stores[i] = new KvStore();
    }
    shared = new SharedPrefixes(pool, kernels);
    chooser = new PageChooser(pool);
  }

  /// Encodes the batch's new key and value rows into their slots.
  void store(AttentionCall call, float[] k, float @Nullable [] v) {
    current = call;
    newKeys = k;
    newValues = v;
    int count = call.batch().rows();
    pool.run(storing, (count + SERIAL_ROWS - 1) / SERIAL_ROWS);
    if (call.encodesTiles()) {
      pool.run(encoding, call.batch().sequences() * call.spec().kvHeads());
    }
  }

  private void encodeTiles(int part, int worker) {
    int heads = current.spec().kvHeads();
    stores[worker].encodeTiles(current, part / heads, part % heads);
  }

  private void storeRows(int part, int worker) {
    int end = Math.min(current.batch().rows(), (part + 1) * SERIAL_ROWS);
    for (int r = part * SERIAL_ROWS; r < end; r++) {
      stores[worker].write(current, r, newKeys, newValues);
    }
  }

  /// Computes `call.out()`.
  void attend(AttentionCall call) {
    current = call;
    if (call.begin()) {
      pool.run(entering, (call.batch().rows() + SERIAL_ROWS - 1) / SERIAL_ROWS);
    }
    for (PartitionKernel kernel : kernels) {
      kernel.forget(call);
    }
    shared.attend(call);
    listUnits(call);
    chooser.choose(call, units, unitCount);
    if (itemCount == unitCount || !isWorthParts(call)) {
      pool.run(wholeUnits, unitCount);
    } else {
      listParts(call);
      pool.run(partitions, partCount);
      pool.run(merges, unitCount);
    }
  }

  private void enterRows(int part, int worker) {
    int end = Math.min(current.batch().rows(), (part + 1) * SERIAL_ROWS);
    for (int r = part * SERIAL_ROWS; r < end; r++) {
      current.enter(r, states[worker].rotation);
    }
  }

  private void listUnits(AttentionCall call) {
    AttentionMetadata batch = call.batch();
    AttentionSpec spec = call.spec();
    long units = (long) batch.rows() * spec.heads() / MOST_UNIT_QUERIES;
    boolean isEnough = units >= (long) UNITS_PER_THREAD * pool.threads();
    int queries = isEnough ? MOST_UNIT_QUERIES : UNIT_QUERIES;
    int unitRows = Math.max(1, queries / spec.groupSize());
    unitCount = 0;
    itemCount = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      int end = batch.firstRow(s) + batch.rowCount(s);
      for (int head = 0; head < spec.kvHeads(); head++) {
        int row = batch.firstRow(s);
        while (row < end) {
          AttentionUnit unit = nextUnit();
          unit.sequence = s;
          unit.head = head;
          unit.firstRow = row;
          unit.rows = call.rowsThatReadAlike(row, Math.min(unitRows, end - row));
          listPartitions(call, unit);
          row += unit.rows;
        }
      }
    }
  }

  private void listPartitions(AttentionCall call, AttentionUnit unit) {
    int[] positions = call.batch().positions();
    int skipped = call.skipped(unit.firstRow);
    unit.pageCount = 0;
    if (skipped > 0) {
      listPages(unit, positions[unit.firstRow], skipped);
      return;
    }
    int first = call.firstLive(unit, positions[unit.firstRow]) / PartitionKernel.TOKENS;
    unit.fromPartition = Math.max(first, shared.plan().ownFrom(unit.sequence));
    unit.toPartition = positions[unit.firstRow + unit.rows - 1] / PartitionKernel.TOKENS + 1;
    PrunedTokens pruned = call.pruned(unit);
    int kept = pruned == null ? 0 : pruned.count(call.spec().cacheLayer(), unit.head);
    unit.keptPartitions = partitionsOf(kept);
    unit.sinkPartitions = pruned == null ? 0 : partitionsOf(call.sinksBefore(pruned));
    unit.firstItem = itemCount;
    itemCount += unit.partitions();
  }

  /// The partitions of a row that leaves pages out.
  private void listPages(AttentionUnit unit, int position, int skipped) {
    unit.pageCount = PageSkips.pages(position) - skipped;
    unit.keptPartitions = 0;
    unit.sinkPartitions = 0;
    unit.fromPartition = 0;
    unit.toPartition = partitionsOf(unit.rowsInPages(position));
    unit.firstItem = itemCount;
    itemCount += unit.partitions();
  }

  private static int partitionsOf(int rows) {
    return (rows + PartitionKernel.TOKENS - 1) / PartitionKernel.TOKENS;
  }

  private AttentionUnit nextUnit() {
    if (unitCount == units.length) {
      units = Arrays.copyOf(units, Math.max(16, 2 * unitCount));
      for (int i = unitCount; i < units.length; i++) {
        units[i] = new AttentionUnit();
      }
    }
    return units[unitCount++];
  }

  /// Where there are enough units for all threads, parts are only better for few queries, which are
  /// bound by memory and read longer runs of it that way.
  private boolean isWorthParts(AttentionCall call) {
    int queries = 0;
    for (int u = 0; u < unitCount; u++) {
      queries = Math.max(queries, units[u].rows * call.spec().groupSize());
    }
    partialSize = queries * (call.spec().valueDim() + 2);
    long floats = (long) itemCount * partialSize;
    return unitCount < UNITS_PER_THREAD * pool.threads() && floats <= MOST_PARTIAL_FLOATS
        || PartitionKernel.isFew(queries) && floats <= MOST_FLOATS;
  }

  private void listParts(AttentionCall call) {
    if (partUnit.length < itemCount) {
      partUnit = new int[2 * itemCount];
      partHeads = new int[2 * itemCount];
      partIndex = new int[2 * itemCount];
    }
    int most = mostHeads(call);
    partCount = 0;
    int u = 0;
    while (u < unitCount) {
      int heads = 1;
      while (heads < most && u + heads < unitCount && isBeside(units[u], units[u + heads], heads)) {
        heads++;
      }
      for (int p = 0; p < units[u].partitions(); p++) {
        partUnit[partCount] = u;
        partHeads[partCount] = heads;
        partIndex[partCount++] = p;
      }
      u += heads;
    }
    int size = Math.multiplyExact(itemCount, partialSize);
    if (partials.length < size) {
      partials = new float[(int) Math.min(Integer.MAX_VALUE - 8, size + size / 2L)];
    }
  }

  /// Heads of a part: their rows of a partition stand beside each other in its blocks and should be
  /// a long run of memory, which stays in the cache of a core and leaves enough parts for all
  /// threads.
  private int mostHeads(AttentionCall call) {
    int blockTokens = call.layout().blockTokens();
    long bytes = call.kv().headBytes(blockTokens) * PartitionKernel.TOKENS / blockTokens;
    int heads = (int) Math.max(1, Math.min(call.spec().kvHeads(), PART_BYTES / bytes));
    while (heads > 1 && itemCount / heads < PARTS_PER_THREAD * pool.threads()) {
      heads /= 2;
    }
    return heads;
  }

  /// Whether a unit is that of the same rows, `heads` kv heads further, and reads the same blocks.
  private static boolean isBeside(AttentionUnit unit, AttentionUnit next, int heads) {
    return next.sequence == unit.sequence
        && next.head == unit.head + heads
        && next.firstRow == unit.firstRow
        && next.rows == unit.rows
        && unit.keptPartitions + next.keptPartitions == 0
        && next.partitions() == unit.partitions();
  }

  private void runUnit(int part, int worker) {
    AttentionCall call = current;
    AttentionUnit unit = units[part];
    PartitionKernel kernel = kernels[worker];
    AttentionState state = states[worker];
    int dim = call.spec().valueDim();
    state.clear(call, unit);
    shared.merge(call, unit, state);
    for (int p = 0; p < unit.partitions(); p++) {
      kernel.expect(false, p + 1 < unit.partitions() ? unit : null, p + 1);
      kernel.run(call, unit, p, 1);
      for (int q = 0; q < unit.rows * call.spec().groupSize(); q++) {
        state.merge(q, kernel.max[q], kernel.sum[q], kernel.acc, q * dim, dim);
      }
    }
    state.finish(call, unit);
  }

  /// A partial result is `max[queries] sum[queries] acc[queries, valueDim]`.
  private void runPartition(int part, int worker) {
    AttentionCall call = current;
    PartitionKernel kernel = kernels[worker];
    int index = partIndex[part];
    for (int i = 0; i < partHeads[part]; i++) {
      AttentionUnit unit = units[partUnit[part] + i];
      if (i + 1 < partHeads[part]) {
        kernel.expect(true, null, 0);
      } else {
        // Threads take parts by turns.
        int next = part + pool.threads();
        boolean isThere = next < partCount;
        kernel.expect(false, isThere ? units[partUnit[next]] : null, isThere ? partIndex[next] : 0);
      }
      kernel.run(call, unit, index, i == 0 ? partHeads[part] : 0);
      int queries = unit.rows * call.spec().groupSize();
      int at = (unit.firstItem + index) * partialSize;
      System.arraycopy(kernel.max, 0, partials, at, queries);
      System.arraycopy(kernel.sum, 0, partials, at + queries, queries);
      int size = queries * call.spec().valueDim();
      System.arraycopy(kernel.acc, 0, partials, at + 2 * queries, size);
    }
  }

  private void mergeUnit(int part, int worker) {
    AttentionCall call = current;
    AttentionUnit unit = units[part];
    AttentionState state = states[worker];
    int dim = call.spec().valueDim();
    int queries = unit.rows * call.spec().groupSize();
    state.clear(call, unit);
    shared.merge(call, unit, state);
    for (int i = 0; i < unit.partitions(); i++) {
      int at = (unit.firstItem + i) * partialSize;
      for (int q = 0; q < queries; q++) {
        int accAt = at + 2 * queries + q * dim;
        state.merge(q, partials[at + q], partials[at + queries + q], partials, accAt, dim);
      }
    }
    state.finish(call, unit);
  }
}
