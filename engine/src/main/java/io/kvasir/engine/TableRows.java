package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.Hadamard;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.MemorySegment;

/// Reads the rows of one kv head out of a table's blocks, decoded and out of the layer's basis:
/// what a query finds there, however it came there.
final class TableRows {
  private final KvLayout layout;
  private final KvStorage storage;
  private final AttentionMetadata bases;

  /// @param bases tells each layer's basis
  TableRows(KvStorage storage, AttentionMetadata bases) {
    this.layout = bases.layout();
    this.storage = storage;
    this.bases = bases;
  }

  /// The positions that a head has rows for before `end`, ascending.
  int[] positions(BlockTable table, int layer, int head, int end) {
    PrunedTokens pruned = table.pruned();
    int first = pruned == null ? 0 : pruned.tokens();
    int kept = pruned == null ? 0 : pruned.count(layer, head);
    int[] positions = new int[kept + end - first];
    for (int i = 0; i < kept && pruned != null; i++) {
      positions[i] = pruned.position(layer, head, i);
    }
    for (int i = kept; i < positions.length; i++) {
      positions[i] = first + i - kept;
    }
    return positions;
  }

  /// Reads the rows of some positions, ascending and among [#positions].
  ///
  /// @param keys whether the key rows are meant, else the value rows
  /// @param target `[positions, dim]`
  void read(BlockTable table, int layer, int head, boolean keys, int[] positions, float[] target) {
    Cursor cursor = new Cursor(table, layer, head, keys);
    int dim = cursor.dim;
    for (int i = 0; i < positions.length; i++) {
      cursor.read(positions[i], target, i * dim);
    }
  }

  /// Walks through a head's rows.
  private final class Cursor {
    private final BlockTable table;
    private final LayerGroup group;
    private final int layer;
    private final int head;
    private final boolean keys;
    private final int dim;
    private final KvFormat format;
    private final KvBasis basis;
    private final PlaneKind kind;
    private final int tokens = layout.blockTokens();
    private int keptRow;
    private long page = -1;
    private KvPlane plane;

    Cursor(BlockTable table, int layer, int head, boolean keys) {
      this.table = table;
      this.group = layout.groupOf(layer);
      this.layer = layer;
      this.head = head;
      this.keys = keys;
      LayerKv kv = layout.kv(layer);
      this.dim = keys ? kv.keyDim() : kv.valueDim();
      this.format = keys ? kv.keyFormat() : kv.valueFormat();
      this.kind = keys ? kv.keyKind() : PlaneKind.VALUES;
      this.basis = bases.basis(layer);
      this.plane = new KvPlane(MemorySegment.NULL, 0, tokens, dim, kind);
    }

    void read(int position, float[] target, int to) {
      PrunedTokens pruned = table.pruned();
      if (pruned != null && position < pruned.tokens()) {
        while (pruned.position(layer, head, keptRow) < position) {
          keptRow++;
        }
        int at = keptRow / tokens;
        if (page != -2L - at) {
          page = -2L - at;
          long offset =
              keys ? pruned.keyOffset(layer, head, at) : pruned.valueOffset(layer, head, at);
          plane = plane(pruned.block(layer, head, at), offset);
        }
        format.decode(plane, keptRow % tokens, target, to);
      } else {
        int at = position / tokens;
        if (page != at) {
          page = at;
          long offset = keys ? layout.keyOffset(layer, head) : layout.valueOffset(layer, head);
          plane = plane(table.block(group.index(), at), offset);
        }
        format.decode(plane, position % tokens, target, to);
      }
      leaveBasis(target, to);
    }

    private KvPlane plane(int block, long offset) {
      MemorySegment memory = storage.view(block);
      if (memory == null) {
        memory = MemorySegment.ofArray(new long[Math.toIntExact(storage.blockBytes() / 8 + 1)]);
        memory = memory.asSlice(0, storage.blockBytes());
        storage.read(block, memory);
      }
      return new KvPlane(memory, offset, tokens, dim, kind);
    }

    private void leaveBasis(float[] x, int from) {
      if (!keys) {
        basis.turnValues(x, from, dim);
        return;
      }
      for (int i = 0; i < dim && basis.isCentred(); i++) {
        x[from + i] += basis.centre(head, i);
      }
      if (basis.keyRotation() > 1) {
        Hadamard.transform(x, from, dim, basis.keyRotation());
      }
    }
  }
}
