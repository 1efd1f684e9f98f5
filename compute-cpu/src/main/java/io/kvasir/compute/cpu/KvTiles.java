package io.kvasir.compute.cpu;

import io.kvasir.compute.PageSkips;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.TileProducts;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Finds and unpacks what one (sequence, layer, kv head) keeps: codes, exact copies beside them, or
/// the rows that pruning kept. One instance per thread.
///
/// Which of them a query reads at a position depends on positions only, see
/// [io.kvasir.kvcache.format.ExactRows]; the boundaries are multiples of 64, so all queries of a
/// unit and both tiles of a pair read the same.
final class KvTiles {
  private static final int TILE = KvLayout.TILE_TOKENS;

  /// Bytes of a cache line.
  private static final int LINE = 64;

  private final TilePlace place = new TilePlace();
  private final TileFormats formats = new TileFormats();
  private @Nullable AttentionCall call;
  private @Nullable BlockTable table;
  private @Nullable PrunedTokens kept;
  private int head;
  private int sinksTo;
  private int tailFrom;
  private @Nullable AttentionUnit unit;
  private int swept = -1;
  private long sweptPlane;

  /// Keeps the compiler from leaving a sweep out.
  int touched;

  private final TileFormat exact = formats.of(KvFormat.F16);
  private TileFormat keys = exact;
  private TileFormat values = exact;

  /// The format of what [#find] found last.
  private TileFormat found = exact;

  private @Nullable LayerGroup foundGroup;

  /// Kv heads whose rows are brought to the cache together with those of this one; 0 where they are
  /// there already.
  private int sweptHeads;

  /// Turns to what a unit reads.
  ///
  /// @param pruned where positions that follow number the rows that pruning kept, or null
  /// @param heads kv heads from the unit's on that read the same blocks next; 0 where another did
  ///   just before
  void open(AttentionCall of, AttentionUnit unit, @Nullable PrunedTokens pruned, int heads) {
    openCodes(of, unit.sequence, unit.head);
    this.unit = unit;
    kept = pruned;
    // Of a block that a row reads a page of, the rest is not wanted.
    sweptHeads = unit.pageCount > 0 ? 0 : heads;
    int position = of.batch().positions()[unit.firstRow];
    sinksTo = of.sinksGroup() == null || pruned != null ? 0 : of.exact().sinks();
    tailFrom =
        of.tailGroup() == null || pruned != null
            ? Integer.MAX_VALUE
            : of.exact().exactFrom(position);
  }

  /// Turns to the codes of all positions of a sequence, whether there are exact copies beside them
  /// or not.
  void openCodes(AttentionCall of, int sequence, int kvHead) {
    call = of;
    table = of.batch().table(sequence);
    kept = null;
    unit = null;
    head = kvHead;
    sweptHeads = 1;
    keys = formats.of(of.keyFormat());
    values = formats.of(of.valueFormat());
    place.blockTokens = of.layout().blockTokens();
    sinksTo = 0;
    tailFrom = Integer.MAX_VALUE;
    swept = -1;
  }

  /// The position that a row of a unit has; of units that read some pages only, rows are numbered
  /// through these.
  static int positionOf(@Nullable AttentionUnit unit, int row) {
    return unit == null || unit.pageCount == 0
        ? row
        : unit.pages[row / PageSkips.PAGE] * PageSkips.PAGE + row % PageSkips.PAGE;
  }

  /// Whether two rows are of the same format.
  boolean areAlike(int row, int other) {
    return isExact(row) == isExact(other);
  }

  /// Whether the keys from a row on can be computed on without unpacking them.
  boolean hasKeyProducts(int row) {
    return (isExact(row) ? exact : keys).hasProducts(of().spec().keyDim());
  }

  /// The same of values.
  boolean hasValueProducts(int row) {
    return (isExact(row) ? exact : values).hasProducts(of().spec().valueDim());
  }

  /// Turns to keys from a position on, for [#score].
  ///
  /// @param count tiles, at most four
  /// @return how many of them follow each other
  int findKeys(int position, int count) {
    place.kind = PlaneKind.KEYS;
    place.dim = of().spec().keyDim();
    find(position, count, false);
    return place.tiles;
  }

  /// The same of values, for [#add].
  int findValues(int position, int count) {
    place.kind = PlaneKind.VALUES;
    place.dim = of().spec().valueDim();
    find(position, count, true);
    return place.tiles;
  }

  /// Machine code for rows of `dim` channels of the format that was found, or null.
  @Nullable TileProducts foundMachine(int dim, Instructions set) {
    MachineTiles machine = found.machine();
    return machine == null ? null : machine.of(dim, set);
  }

  /// The same with products of pairs of bf16.
  @Nullable TileProducts foundPairs(int dim, Instructions set) {
    MachineTiles machine = found.machine();
    return machine == null ? null : machine.pairs(dim, set);
  }

  /// The memory of the plane that was found.
  MemorySegment foundMemory() {
    return place.memory;
  }

  /// Where the plane starts in it.
  long foundPlane() {
    return place.plane;
  }

  /// How the format that was found is computed on in machine code.
  MachineTiles foundMachine() {
    return Objects.requireNonNull(found.machine());
  }

  /// Address of the plane that was found.
  long foundAddress() {
    return place.memory.address() + place.plane;
  }

  /// Row of that plane.
  int foundSlot() {
    return place.slot;
  }

  /// Bytes from there to the next kv head's plane.
  long foundHeadBytes() {
    LayerKv kv = of().layout().kv(Objects.requireNonNull(foundGroup), of().spec().cacheLayer());
    return kv.headBytes(place.blockTokens);
  }

  int blockTokens() {
    return place.blockTokens;
  }

  /// Products of few queries with the keys that were found.
  void score(FewQueries queries) {
    found.score(place, queries);
  }

  /// Weighted sums of the values that were found.
  void add(FewQueries queries) {
    found.add(place, queries);
  }

  /// Unpacks `count` tiles of keys from a position on, into `numbers` from 0 on.
  ///
  /// @return channels that share a scale, 0 where there are no scales
  int readKeys(int position, int count, float[] numbers, float[] scales) {
    place.kind = PlaneKind.KEYS;
    place.dim = of().spec().keyDim();
    TileFormat format = isExact(position) ? exact : keys;
    int group = format.keyGroup(place.dim);
    begin(numbers, scales);
    for (int done = 0; done < count; done += place.tiles) {
      find(position + done * TILE, count - done, false);
      format.readKeys(place);
      advance(group);
    }
    return group;
  }

  /// The same of values.
  int readValues(int position, int count, float[] numbers, float[] scales) {
    place.kind = PlaneKind.VALUES;
    place.dim = of().spec().valueDim();
    TileFormat format = isExact(position) ? exact : values;
    int group = format.valueGroup(place.dim);
    begin(numbers, scales);
    for (int done = 0; done < count; done += place.tiles) {
      find(position + done * TILE, count - done, true);
      format.readValues(place);
      advance(group);
    }
    return group;
  }

  /// Unpacks a tile of rows whose first elements are the values.
  void readRows(int position, float[] numbers) {
    place.kind = PlaneKind.LATENT;
    place.dim = of().spec().keyDim();
    begin(numbers, numbers);
    find(position, 1, false);
    (isExact(position) ? exact : keys).readRows(place);
  }

  private void begin(float[] numbers, float[] scales) {
    place.numbers = numbers;
    place.at = 0;
    place.scales = scales;
    place.scaleAt = 0;
  }

  private void advance(int group) {
    place.at += place.tiles * TILE * place.dim;
    place.scaleAt += group == 0 ? 0 : place.tiles * TILE * ((place.dim + group - 1) / group);
  }

  private AttentionCall of() {
    return Objects.requireNonNull(call);
  }

  private boolean isExact(int row) {
    int position = positionOf(unit, row);
    return position < sinksTo || position >= tailFrom;
  }

  /// Points at the plane and the slot of a position, and at as many tiles as follow in the block.
  private void find(int row, int tiles, boolean valuePlane) {
    int position = positionOf(unit, row);
    int index = position / place.blockTokens;
    place.slot = position % place.blockTokens;
    place.tiles = Math.min(tiles, (place.blockTokens - place.slot) / TILE);
    if (unit != null && unit.pageCount > 0) {
      place.tiles = 1;
    }
    AttentionCall of = of();
    HostStorage storage = of.storage();
    int block;
    long offset;
    LayerGroup group = of.group();
    found = isExact(row) ? exact : valuePlane ? values : keys;
    if (kept != null) {
      int layer = of.spec().cacheLayer();
      block = kept.block(layer, head, index);
      offset =
          valuePlane ? kept.valueOffset(layer, head, index) : kept.keyOffset(layer, head, index);
    } else {
      if (position < sinksTo) {
        group = Objects.requireNonNull(of.sinksGroup());
      } else if (position >= tailFrom) {
        group = Objects.requireNonNull(of.tailGroup());
      }
      block = Objects.requireNonNull(table).block(group.index(), index);
      offset = valuePlane ? of.valueOffset(group, head) : of.keyOffset(group, head);
    }
    foundGroup = group;
    place.memory = storage.segment(block);
    place.plane = storage.offset(block) + offset;
    if (sweptHeads > 0 && !valuePlane && (block != swept || place.plane != sweptPlane)) {
      swept = block;
      sweptPlane = place.plane;
      sweep(place.memory, place.plane, group);
    }
  }

  /// Reads a byte of each cache line of the head's planes in a block, keys and values, and of those
  /// of the heads behind it. Memory answers many requests at a time, but computing asks for few:
  /// this brings a block to the cache in half the time, and longer runs quicker than short ones.
  private void sweep(MemorySegment memory, long from, LayerGroup group) {
    LayerKv kv = of().layout().kv(group, of().spec().cacheLayer());
    long to = Math.min(memory.byteSize(), from + sweptHeads * kv.headBytes(place.blockTokens));
    int lines = (int) (to - from + LINE - 1) / LINE;
    int sum = 0;
    for (int i = 0; i < lines; i++) {
      sum += memory.get(ValueLayout.JAVA_BYTE, from + (long) i * LINE);
    }
    touched = sum;
  }
}
