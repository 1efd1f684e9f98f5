package io.kvasir.compute.cpu;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.HashMap;
import java.util.Map;
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

  private final TilePlace place = new TilePlace();
  private final Map<KvFormat, TileFormat> formats = new HashMap<>();
  private @Nullable AttentionCall call;
  private @Nullable BlockTable table;
  private @Nullable PrunedTokens kept;
  private int head;
  private int sinksTo;
  private int tailFrom;
  private TileFormat keys = of(KvFormat.F16);
  private TileFormat values = keys;
  private final TileFormat exact = keys;

  TileFormat of(KvFormat format) {
    TileFormat known = formats.get(format);
    if (known == null) {
      known = TileFormat.of(format);
      formats.put(format, known);
    }
    return known;
  }

  /// Turns to what a unit reads.
  ///
  /// @param pruned where positions that follow number the rows that pruning kept, or null
  void open(AttentionCall of, AttentionUnit unit, @Nullable PrunedTokens pruned) {
    call = of;
    table = of.batch().table(unit.sequence);
    kept = pruned;
    head = unit.head;
    keys = of(of.keyFormat());
    values = of(of.valueFormat());
    place.blockTokens = of.layout().blockTokens();
    int position = of.batch().positions()[unit.firstRow];
    sinksTo = of.sinksGroup() == null || pruned != null ? 0 : of.exact().sinks();
    tailFrom =
        of.tailGroup() == null || pruned != null
            ? Integer.MAX_VALUE
            : of.exact().exactFrom(position);
  }

  /// Unpacks `count` tiles of keys from a position on, into `numbers` from 0 on.
  ///
  /// @return channels that share a scale, 0 where there are no scales
  int readKeys(int position, int count, float[] numbers, float[] scales, int scaleStride) {
    place.kind = PlaneKind.KEYS;
    place.dim = of().spec().keyDim();
    TileFormat format = isExact(position) ? exact : keys;
    begin(numbers, scales, scaleStride);
    for (int done = 0; done < count; done += place.tiles) {
      find(position + done * TILE, count - done, false);
      format.readKeys(place);
      advance();
    }
    return format.keyGroup(place.dim);
  }

  /// The same of values.
  int readValues(int position, int count, float[] numbers, float[] scales, int scaleStride) {
    place.kind = PlaneKind.VALUES;
    place.dim = of().spec().valueDim();
    TileFormat format = isExact(position) ? exact : values;
    begin(numbers, scales, scaleStride);
    for (int done = 0; done < count; done += place.tiles) {
      find(position + done * TILE, count - done, true);
      format.readValues(place);
      advance();
    }
    return format.valueGroup(place.dim);
  }

  /// Unpacks a tile of rows whose first elements are the values.
  void readRows(int position, float[] numbers) {
    place.kind = PlaneKind.LATENT;
    place.dim = of().spec().keyDim();
    begin(numbers, numbers, 0);
    find(position, 1, false);
    (isExact(position) ? exact : keys).readRows(place);
  }

  private void begin(float[] numbers, float[] scales, int scaleStride) {
    place.numbers = numbers;
    place.at = 0;
    place.scales = scales;
    place.scaleAt = 0;
    place.scaleStride = scaleStride;
  }

  private void advance() {
    place.at += place.tiles * TILE * place.dim;
    place.scaleAt += place.tiles * TILE;
  }

  private AttentionCall of() {
    return Objects.requireNonNull(call);
  }

  private boolean isExact(int position) {
    return position < sinksTo || position >= tailFrom;
  }

  /// Points at the plane and the slot of a position, and at as many tiles as follow in the block.
  private void find(int position, int tiles, boolean valuePlane) {
    int index = position / place.blockTokens;
    place.slot = position % place.blockTokens;
    place.tiles = Math.min(tiles, (place.blockTokens - place.slot) / TILE);
    AttentionCall of = of();
    HostStorage storage = of.storage();
    int block;
    long offset;
    if (kept != null) {
      int layer = of.spec().cacheLayer();
      block = kept.block(layer, head, index);
      offset =
          valuePlane ? kept.valueOffset(layer, head, index) : kept.keyOffset(layer, head, index);
    } else {
      LayerGroup group = of.group();
      if (position < sinksTo) {
        group = Objects.requireNonNull(of.sinksGroup());
      } else if (position >= tailFrom) {
        group = Objects.requireNonNull(of.tailGroup());
      }
      block = Objects.requireNonNull(table).block(group.index(), index);
      offset = valuePlane ? of.valueOffset(group, head) : of.keyOffset(group, head);
    }
    place.memory = storage.segment(block);
    place.plane = storage.offset(block) + offset;
  }
}
