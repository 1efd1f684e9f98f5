package io.kvasir.compute.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Which experts the rows of a step take, chosen on the device and listed there expert by expert
/// (`experts.cu`). The lists of one mixture are overwritten by the next.
final class ExpertLists implements AutoCloseable {
  /// Slots of a tile of few rows.
  static final int TILE = 8;

  private static final int THREADS = 256;
  private static final int WARP = 32;
  private static final int TILE_BYTES = 12;
  private static final int CALL_BYTES = 48;

  /// Rows of `expert_list_few`, a warp each, with their experts and shared memory.
  private static final int FEW_ROWS = 8;

  private static final int FEW_EXPERTS = 32;
  private static final int FEW_SHARED_BYTES = 40_000;

  private final Launch launch;
  private final Staging staging;
  private final long choose;
  private final long plan;
  private final long listFew;
  private final DeviceArray picked;
  private final DeviceArray weights;
  private final DeviceArray slots;
  private final DeviceArray rows;
  private final DeviceArray factors;
  private final DeviceArray starts;
  private final DeviceArray tiles;
  private final DeviceArray tileCount;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment call = arena.allocate(CALL_BYTES, 8);
  private final MemorySegment fewCall = arena.allocate(ExpertTable.ROUTING_BYTES + CALL_BYTES, 8);
  private int[] hostStarts = {};
  private int tile = TILE;
  private int mostTiles;

  ExpertLists(CudaContext context, CudaKernels kernels, Staging staging, Launch launch) {
    this.launch = launch;
    this.staging = staging;
    choose = kernels.function("expert_choose");
    plan = kernels.function("expert_plan");
    listFew = kernels.function("expert_list_few");
    picked = new DeviceArray(context, staging, "choices of experts");
    weights = new DeviceArray(context, staging, "weights of experts");
    slots = new DeviceArray(context, staging, "places of experts");
    rows = new DeviceArray(context, staging, "rows of experts");
    factors = new DeviceArray(context, staging, "factors of experts");
    starts = new DeviceArray(context, staging, "first places of experts");
    tiles = new DeviceArray(context, staging, "tiles of experts");
    tileCount = new DeviceArray(context, staging, "number of tiles of experts");
  }

  /// Queues the choice and the lists for `count` rows.
  ///
  /// @param logits device address of the router's `[count, experts]`
  /// @param slotsOfTile most slots of a tile
  void make(ExpertTable table, long logits, int count, int slotsOfTile) {
    tile = slotsOfTile;
    int experts = table.experts();
    int perRow = table.perRow();
    int pairs = count * perRow;
    mostTiles = (pairs + (tile - 1) * Math.min(experts, pairs)) / tile;
    int groups = table.mixture().routing().groups();
    call.set(ValueLayout.JAVA_LONG, 0, slots.room(4L * pairs));
    call.set(ValueLayout.JAVA_LONG, 8, rows.room(4L * pairs));
    call.set(ValueLayout.JAVA_LONG, 16, factors.room(4L * pairs));
    call.set(ValueLayout.JAVA_LONG, 24, starts.room(4L * (experts + 1)));
    call.set(ValueLayout.JAVA_LONG, 32, tiles.room((long) TILE_BYTES * mostTiles));
    call.set(ValueLayout.JAVA_LONG, 40, tileCount.room(4));
    int shared = 4 * (2 * experts + groups);
    if (count <= FEW_ROWS && perRow <= FEW_EXPERTS && FEW_ROWS * shared <= FEW_SHARED_BYTES) {
      makeFew(table, logits, count, FEW_ROWS * shared);
      return;
    }
    launch
        .of(choose)
        .pointer(logits)
        .structure(table.routing())
        .pointer(picked.room(4L * pairs))
        .pointer(weights.room(4L * pairs))
        .shared(shared)
        .launch(count, WARP);
    launch
        .of(plan)
        .pointer(picked.room(0))
        .pointer(table.mixture().routing().weighsInput() ? weights.room(0) : 0)
        .number(pairs)
        .number(perRow)
        .number(tile)
        .structure(call)
        .shared(4 * experts)
        .launch(experts, THREADS);
  }

  private void makeFew(ExpertTable table, long logits, int count, int shared) {
    MemorySegment.copy(table.routing(), 0, fewCall, 0, ExpertTable.ROUTING_BYTES);
    MemorySegment.copy(call, 0, fewCall, ExpertTable.ROUTING_BYTES, CALL_BYTES);
    launch
        .of(listFew)
        .pointer(logits)
        .number(count)
        .number(tile)
        .number(table.mixture().routing().weighsInput() ? 1 : 0)
        .structure(fewCall)
        .pointer(weights.room(4L * count * table.perRow()))
        .shared(shared)
        .launch(1, THREADS);
  }

  /// Tiles that any choice could need: each expert's last one may have a single slot.
  int mostTiles() {
    return mostTiles;
  }

  /// Where each expert's slots begin, on the host, of more than a few rows: waits for them.
  int[] hostStarts(ExpertTable table) {
    int count = table.experts() + 1;
    if (hostStarts.length < count) {
      hostStarts = new int[count];
    }
    staging.download(starts.room(0), hostStarts, count);
    return hostStarts;
  }

  /// Device address of the weights `[rows, perRow]` of experts' outputs; 0 where inputs were
  /// weighed.
  long outputWeights(ExpertTable table) {
    return table.mixture().routing().weighsInput() ? 0 : weights.room(0);
  }

  /// Device address of the slots `[rows, perRow]`.
  long slots() {
    return slots.room(0);
  }

  /// Device address of the row of each slot.
  long rows() {
    return rows.room(0);
  }

  /// Device address of the factor of each slot's row.
  long factors() {
    return factors.room(0);
  }

  /// Device address of the tiles.
  long tiles() {
    return tiles.room(0);
  }

  /// Device address of their number.
  long tileCount() {
    return tileCount.room(0);
  }

  @Override
  public void close() {
    for (DeviceArray array :
        new DeviceArray[] {picked, weights, slots, rows, factors, starts, tiles, tileCount}) {
      array.close();
    }
    arena.close();
  }
}
