package io.kvasir.compute.cpu;

import java.util.Arrays;

/// Attention of decoding sequences over the prefixes that they share: each partition of a
/// [CascadePlan] node is computed once per kv head for as many of its sequences as a unit takes,
/// and the partial results are kept until the sequences' own units merge them.
///
/// Bytes moved: each shared key and value row once per unit, instead of once per sequence.
final class SharedPrefixes {
  private static final int MOST_FLOATS = Integer.MAX_VALUE - 8;

  private final KernelPool pool;
  private final PartitionKernel[] kernels;
  private final CascadePlan plan = new CascadePlan();
  private final KernelPool.Region items = this::runItem;
  private AttentionCall current = new AttentionCall();
  private AttentionUnit[] units = new AttentionUnit[0];
  private int unitCount;
  private int[] unitOfItem = {};
  private int[] firstUnit = {};
  private int itemCount;
  private float[] partials = {};
  private int floatCount;
  private int unitRows;

  /// @param kernels one per thread of the pool
  SharedPrefixes(KernelPool pool, PartitionKernel[] kernels) {
    this.pool = pool;
    this.kernels = kernels;
  }

  CascadePlan plan() {
    return plan;
  }

  /// Computes the partial results of everything shared.
  void attend(AttentionCall call) {
    current = call;
    plan.plan(call);
    if (plan.nodes() > 0) {
      listUnits(call);
      pool.run(items, itemCount);
    }
  }

  private void listUnits(AttentionCall call) {
    int group = call.spec().groupSize();
    unitRows = Math.max(1, CpuAttention.UNIT_QUERIES / group);
    unitCount = 0;
    itemCount = 0;
    floatCount = 0;
    if (firstUnit.length < plan.nodes()) {
      firstUnit = new int[2 * plan.nodes()];
    }
    for (int node = 0; node < plan.nodes(); node++) {
      firstUnit[node] = unitCount;
      int end = plan.firstSequence(node) + plan.sequences(node);
      for (int s = plan.firstSequence(node); s < end; s += unitRows) {
        for (int head = 0; head < call.spec().kvHeads(); head++) {
          addUnit(call, node, s, Math.min(unitRows, end - s), head);
        }
      }
    }
    if (partials.length < floatCount) {
      partials = new float[(int) Math.min(MOST_FLOATS, floatCount + floatCount / 2L)];
    }
  }

  private void addUnit(AttentionCall call, int node, int sequence, int rows, int head) {
    if (unitCount == units.length) {
      units = Arrays.copyOf(units, Math.max(16, 2 * unitCount));
      for (int i = unitCount; i < units.length; i++) {
        units[i] = new AttentionUnit();
      }
    }
    AttentionUnit unit = units[unitCount];
    unit.sequence = sequence;
    unit.head = head;
    unit.firstRow = call.batch().firstRow(sequence);
    unit.rows = rows;
    unit.fromPartition = plan.fromPartition(node);
    unit.toPartition = plan.toPartition(node);
    unit.firstItem = itemCount;
    unit.firstFloat = floatCount;
    itemCount += unit.partitions();
    floatCount = Math.addExact(floatCount, unit.partitions() * partialSize(call, unit));
    if (unitOfItem.length < itemCount) {
      unitOfItem = Arrays.copyOf(unitOfItem, 2 * itemCount);
    }
    Arrays.fill(unitOfItem, unit.firstItem, itemCount, unitCount++);
  }

  private static int partialSize(AttentionCall call, AttentionUnit unit) {
    return unit.rows * call.spec().groupSize() * (call.spec().valueDim() + 2);
  }

  /// A partial result is `max[queries] sum[queries] acc[queries, valueDim]`.
  private void runItem(int item, int worker) {
    AttentionCall call = current;
    AttentionUnit unit = units[unitOfItem[item]];
    PartitionKernel kernel = kernels[worker];
    kernel.run(call, unit, item - unit.firstItem, 1);
    int queries = unit.rows * call.spec().groupSize();
    int at = unit.firstFloat + (item - unit.firstItem) * partialSize(call, unit);
    System.arraycopy(kernel.max, 0, partials, at, queries);
    System.arraycopy(kernel.sum, 0, partials, at + queries, queries);
    int size = queries * call.spec().valueDim();
    System.arraycopy(kernel.acc, 0, partials, at + 2 * queries, size);
  }

  /// Merges what a sequence shares with others into the state of its own unit, in the order of
  /// positions.
  void merge(AttentionCall call, AttentionUnit own, AttentionState state) {
    if (plan.leaf(own.sequence) >= 0) {
      merge(call, own, state, plan.leaf(own.sequence));
    }
  }

  private void merge(AttentionCall call, AttentionUnit own, AttentionState state, int node) {
    if (plan.parent(node) >= 0) {
      merge(call, own, state, plan.parent(node));
    }
    int dim = call.spec().valueDim();
    int group = call.spec().groupSize();
    int row = own.sequence - plan.firstSequence(node);
    int index = firstUnit[node] + row / unitRows * call.spec().kvHeads() + own.head;
    AttentionUnit unit = units[index];
    int queries = unit.rows * group;
    int first = row % unitRows * group;
    for (int p = 0; p < unit.partitions(); p++) {
      int at = unit.firstFloat + p * partialSize(call, unit);
      for (int r = 0; r < group; r++) {
        int q = first + r;
        int accAt = at + 2 * queries + q * dim;
        state.merge(r, partials[at + q], partials[at + queries + q], partials, accAt, dim);
      }
    }
  }
}
