package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Encodes tiles of formats that take several tokens at once: the exact rows come to the host,
/// whose codec encodes them, and the plane goes back. It happens once in 32 or 64 tokens.
final class TileEncoder {
  private TileEncoder() {}

  /// Whether the keys of a layer are encoded by tiles.
  static boolean tilesKeys(LayerKv kv) {
    return kv.keyFormat().tileTokens(kv.keyKind()) > 1;
  }

  /// Whether the values of a layer are encoded by tiles.
  static boolean tilesValues(LayerKv kv) {
    return kv.valueDim() > 0 && kv.valueFormat().tileTokens(PlaneKind.VALUES) > 1;
  }

  /// Encodes the tiles that the batch's rows made whole.
  static void encode(AttentionMetadata batch, AttentionSpec spec, CudaKvStorage storage) {
    KvLayout layout = batch.layout();
    LayerGroup codes = layout.groupOf(spec.cacheLayer());
    LayerGroup tail = layout.exactGroup(spec.cacheLayer(), LayerGroup.Role.TAIL);
    if (tail == null) {
      return;
    }
    for (int s = 0; s < batch.sequences(); s++) {
      int start = batch.positions()[batch.firstRow(s)];
      int end = start + batch.rowCount(s);
      for (int head = 0; head < spec.kvHeads(); head++) {
        if (tilesKeys(layout.kv(spec.cacheLayer()))) {
          encode(
              new Side(layout, spec, codes, tail, storage, batch.table(s), true, head), start, end);
        }
        if (tilesValues(layout.kv(spec.cacheLayer()))) {
          encode(
              new Side(layout, spec, codes, tail, storage, batch.table(s), false, head),
              start,
              end);
        }
      }
    }
  }

  private static void encode(Side side, int start, int end) {
    KvFormat format = side.format(side.codes);
    int tokens = format.tileTokens(side.kind());
    int dim = side.dim();
    try (Arena arena = Arena.ofConfined()) {
      float[] rows = new float[tokens * dim];
      for (int first = start / tokens * tokens; first + tokens <= end; first += tokens) {
        for (int i = 0; i < tokens; ) {
          // A tile may span blocks; the rows of one block come together.
          KvPlane exact = side.read(arena, side.tail, first + i);
          int slot = (first + i) % side.layout.blockTokens();
          int count = Math.min(tokens - i, side.layout.blockTokens() - slot);
          for (int n = 0; n < count; n++) {
            side.format(side.tail).decode(exact, slot + n, rows, (i + n) * dim);
          }
          i += count;
        }
        KvPlane plane = side.read(arena, side.codes, first);
        format.encode(rows, 0, plane, first % side.layout.blockTokens());
        side.storage.write(
            side.address(side.codes, first), plane.memory(), plane.memory().byteSize());
      }
    }
  }

  /// Keys or values of one sequence, layer and head.
  private record Side(
      KvLayout layout,
      AttentionSpec spec,
      LayerGroup codes,
      LayerGroup tail,
      CudaKvStorage storage,
      BlockTable table,
      boolean key,
      int head) {

    int dim() {
      return key ? spec.keyDim() : spec.valueDim();
    }

    PlaneKind kind() {
      return key ? layout.kv(spec.cacheLayer()).keyKind() : PlaneKind.VALUES;
    }

    KvFormat format(LayerGroup group) {
      LayerKv kv = layout.kv(group, spec.cacheLayer());
      return key ? kv.keyFormat() : kv.valueFormat();
    }

    long address(LayerGroup group, int position) {
      int block = table.block(group.index(), position / layout.blockTokens());
      int layer = spec.cacheLayer();
      return storage.address(block)
          + (key ? layout.keyOffset(group, layer, head) : layout.valueOffset(group, layer, head));
    }

    /// A copy of the plane that holds a position.
    KvPlane read(Arena arena, LayerGroup group, int position) {
      long bytes = format(group).planeBytes(layout.blockTokens(), dim(), kind());
      MemorySegment copy = arena.allocate(bytes, 64);
      storage.read(address(group, position), copy, bytes);
      return new KvPlane(copy, 0, layout.blockTokens(), dim(), kind());
    }
  }
}
