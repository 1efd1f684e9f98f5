package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.HostStorage;
import org.jspecify.annotations.Nullable;

/// Brings new rows into their layer's basis and writes them to all places that keep them: codes,
/// and exact copies of the first and the newest rows. Formats that encode several tokens at once
/// take them from the exact copies when a tile of them is whole, so that it does not matter how the
/// rows came. One instance per thread.
final class KvStore {
  private final TilePlace place = new TilePlace();
  private final Rotation rotation = new Rotation();
  private final TileFormats formats = new TileFormats();
  private float[] entered = {};
  private float[] tile = {};

  /// Writes the keys and values of one row of the batch.
  ///
  /// @param k `[rows, G * keyDim]`
  /// @param v `[rows, G * valueDim]`, or null where values are part of the keys
  void write(AttentionCall call, int row, float[] k, float @Nullable [] v) {
    AttentionMetadata batch = call.batch();
    BlockTable table = batch.table(batch.sequenceOfRow(row));
    int position = batch.positions()[row];
    AttentionSpec spec = call.spec();
    KvBasis basis = call.basis();
    for (int head = 0; head < spec.kvHeads(); head++) {
      int index = row * spec.kvHeads() + head;
      place.dim = spec.keyDim();
      place.kind = call.kv().keyKind();
      enter(k, index * spec.keyDim(), basis.keyRotation());
      if (basis.isCentred()) {
        for (int i = 0; i < place.dim; i++) {
          entered[i] -= basis.centre(head, i);
        }
      }
      putAll(call, table, position, head);
      if (v != null) {
        place.dim = spec.valueDim();
        place.kind = PlaneKind.VALUES;
        enter(v, index * spec.valueDim(), basis.valueRotation());
        putAll(call, table, position, head);
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

  private void putAll(AttentionCall call, BlockTable table, int position, int head) {
    LayerGroup codes = call.group();
    if (format(call, codes).tileTokens(place.kind) == 1) {
      put(call, table, codes, position, head);
    }
    LayerGroup tail = call.tailGroup();
    if (tail != null) {
      put(call, table, tail, position, head);
    }
    LayerGroup sinks = call.sinksGroup();
    if (sinks != null && position < sinks.limit()) {
      put(call, table, sinks, position, head);
    }
  }

  /// Encodes the entered row into a group's block.
  private void put(AttentionCall call, BlockTable table, LayerGroup group, int position, int head) {
    find(call, table, group, position, head);
    formats.of(format(call, group)).write(place, entered, 0);
  }

  private KvFormat format(AttentionCall call, LayerGroup group) {
    LayerKv kv = call.layout().kv(group, call.spec().cacheLayer());
    return place.kind == PlaneKind.VALUES ? kv.valueFormat() : kv.keyFormat();
  }

  private void find(
      AttentionCall call, BlockTable table, LayerGroup group, int position, int head) {
    HostStorage storage = call.storage();
    place.blockTokens = call.layout().blockTokens();
    place.slot = position % place.blockTokens;
    int block = table.block(group.index(), position / place.blockTokens);
    long offset =
        place.kind == PlaneKind.VALUES
            ? call.valueOffset(group, head)
            : call.keyOffset(group, head);
    place.memory = storage.segment(block);
    place.plane = storage.offset(block) + offset;
  }

  /// Encodes the tiles of a sequence and kv head that the batch's rows made whole.
  void encodeTiles(AttentionCall call, int sequence, int head) {
    place.kind = call.kv().keyKind();
    place.dim = call.spec().keyDim();
    encodePlane(call, sequence, head);
    if (!call.valuesInKeys()) {
      place.kind = PlaneKind.VALUES;
      place.dim = call.spec().valueDim();
      encodePlane(call, sequence, head);
    }
  }

  private void encodePlane(AttentionCall call, int sequence, int head) {
    AttentionMetadata batch = call.batch();
    LayerGroup tail = call.tailGroup();
    KvFormat format = format(call, call.group());
    int tokens = format.tileTokens(place.kind);
    if (tokens == 1 || tail == null) {
      return;
    }
    if (tile.length < tokens * place.dim) {
      tile = new float[tokens * place.dim];
    }
    BlockTable table = batch.table(sequence);
    int start = batch.positions()[batch.firstRow(sequence)];
    int end = start + batch.rowCount(sequence);
    for (int first = start / tokens * tokens; first + tokens <= end; first += tokens) {
      for (int i = 0; i < tokens; i++) {
        find(call, table, tail, first + i, head);
        format(call, tail).decode(place.toPlane(), place.slot, tile, i * place.dim);
      }
      find(call, table, call.group(), first, head);
      format.encode(tile, 0, place.toPlane(), place.slot);
    }
  }
}
