package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Brings new rows into their layer's basis and encodes them into their slots. One instance per
/// thread.
final class KvStore {
  private final TilePlace place = new TilePlace();
  private final Rotation rotation = new Rotation();
  private final Map<KvFormat, TileFormat> formats = new HashMap<>();
  private float[] entered = {};

  /// Writes the keys and values of one row of the batch.
  ///
  /// @param k `[rows, G * keyDim]`
  /// @param v `[rows, G * valueDim]`, or null where values are part of the keys
  void write(AttentionCall call, int row, float[] k, float @Nullable [] v) {
    AttentionMetadata batch = call.batch();
    BlockTable table = batch.table(batch.sequenceOfRow(row));
    int position = batch.positions()[row];
    place.blockTokens = call.layout().blockTokens();
    place.slot = position % place.blockTokens;
    AttentionSpec spec = call.spec();
    KvBasis basis = call.basis();
    for (int head = 0; head < spec.kvHeads(); head++) {
      int index = row * spec.kvHeads() + head;
      place.dim = spec.keyDim();
      place.kind = call.group().kv().keyKind();
      enter(k, index * spec.keyDim(), basis.keyRotation());
      if (basis.isCentred()) {
        for (int i = 0; i < place.dim; i++) {
          entered[i] -= basis.centre(head, i);
        }
      }
      put(call, table, call.group(), position, head, call.keyFormat());
      if (v != null) {
        place.dim = spec.valueDim();
        place.kind = PlaneKind.VALUES;
        enter(v, index * spec.valueDim(), basis.valueRotation());
        put(call, table, call.group(), position, head, call.valueFormat());
      }
    }
  }

  private void enter(float[] source, int from, int block) {
    if (entered.length < place.dim) {
      entered = new float[place.dim];
    }
    System.arraycopy(source, from, entered, 0, place.dim);
    rotation.transform(entered, 0, place.dim, block);
  }

  /// Encodes the entered row into a group's block.
  private void put(
      AttentionCall call,
      BlockTable table,
      LayerGroup group,
      int position,
      int head,
      KvFormat format) {
    HostStorage storage = call.storage();
    int block = table.block(group.index(), position / place.blockTokens);
    long offset =
        place.kind == PlaneKind.VALUES
            ? call.valueOffset(group, head)
            : call.keyOffset(group, head);
    place.memory = storage.segment(block);
    place.plane = storage.offset(block) + offset;
    TileFormat tiles = formats.get(format);
    if (tiles == null) {
      tiles = TileFormat.of(format);
      formats.put(format, tiles);
    }
    tiles.write(place, entered, 0);
  }
}
