package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.Bf16Format;
import io.kvasir.kvcache.format.F16Format;
import io.kvasir.kvcache.format.F32Format;
import io.kvasir.kvcache.format.Fp8Format;
import io.kvasir.kvcache.format.GroupFormat;
import io.kvasir.kvcache.format.Int8Format;
import io.kvasir.kvcache.format.KiviFormat;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvarnFormat;
import io.kvasir.kvcache.format.LlamaAffineFormat;
import io.kvasir.kvcache.format.LlamaByteFormat;
import io.kvasir.kvcache.format.LlamaSignedFormat;
import io.kvasir.kvcache.format.LloydMaxFormat;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// Fills the structures of `kv.cuh`, 8 bytes a field, in the order of the fields there.
final class KvArguments implements AutoCloseable {
  /// Bytes of a `PlaneView`.
  static final int PLANE_BYTES = 56;

  /// Bytes of a `GroupView`.
  static final int GROUP_BYTES = 32 + 2 * PLANE_BYTES;

  /// Bytes of a `KvView`.
  static final int KV_BYTES = 104 + 3 * GROUP_BYTES;

  /// Bytes of an `AttendView`.
  static final int ATTEND_BYTES = KV_BYTES + 88;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory = arena.allocate(ATTEND_BYTES, 8);
  private long at;

  /// The `KvView` part of what was filled last.
  MemorySegment kv() {
    return memory.asSlice(0, KV_BYTES);
  }

  /// The `AttendView` filled last.
  MemorySegment attend() {
    return memory;
  }

  /// Fills the `KvView`.
  ///
  /// @param centres device address of the layer's rotated centres, 0 for none
  void setKv(
      CudaKvStorage storage,
      KvLayout layout,
      AttentionSpec spec,
      StepTables tables,
      KvBasis basis,
      long centres) {
    at = 0;
    put(storage.pool());
    put(storage.blockBytes());
    put(layout.blockTokens());
    put(tables.positions());
    put(tables.sequenceOfRow());
    put(tables.rows());
    put(spec.heads());
    put(spec.kvHeads());
    put(spec.keyDim());
    put(spec.valueDim());
    put(basis.keyRotation());
    put(basis.valueRotation());
    put(centres);
    int layer = spec.cacheLayer();
    putGroup(layout, layout.groupOf(layer), layer, tables);
    putGroup(layout, layout.exactGroup(layer, LayerGroup.Role.TAIL), layer, tables);
    putGroup(layout, layout.exactGroup(layer, LayerGroup.Role.SINKS), layer, tables);
  }

  /// Fills the rest of the `AttendView`, behind [#setKv].
  void setAttend(AttentionSpec spec, LayerKv codes, long q, long out, Pruned pruned) {
    at = KV_BYTES;
    put(q);
    put(out);
    put(spec.sinks() == null ? 0 : CudaBuffer.of(spec.sinks()).pointer());
    put(spec.slopes() == null ? 0 : CudaBuffer.of(spec.slopes()).pointer());
    put(Double.doubleToRawLongBits(spec.scale()));
    put(Double.doubleToRawLongBits(spec.softcap()));
    put(codes.window());
    put(codes.exact().sinks());
    put(codes.exact().tail());
    put(pruned.places());
    put(pruned.rows());
  }

  /// Device addresses of what tells the kept rows of pruned sequences; 0 for none.
  record Pruned(long places, long rows) {
    static final Pruned NONE = new Pruned(0, 0);
  }

  private void putGroup(KvLayout layout, @Nullable LayerGroup group, int layer, StepTables tables) {
    long end = at + GROUP_BYTES;
    if (group == null) {
      memory.asSlice(at, GROUP_BYTES).fill((byte) 0);
      at = end;
      return;
    }
    LayerKv kv = layout.kv(group, layer);
    put(tables.tables());
    put(tables.starts(group.index()));
    long headStride = kv.headBytes(layout.blockTokens());
    boolean latent = kv.valueDim() == 0;
    putPlane(kv.keyFormat(), kv.keyDim(), kv.keyKind(), layout.keyOffset(group, layer, 0));
    put(headStride);
    putPlane(
        latent ? kv.keyFormat() : kv.valueFormat(),
        latent ? kv.keyDim() : kv.valueDim(),
        latent ? PlaneKind.LATENT : PlaneKind.VALUES,
        layout.valueOffset(group, layer, 0));
    put(headStride);
    put(1);
    put(group.limit());
  }

  private void putPlane(KvFormat format, int dim, PlaneKind kind, long offset) {
    put(number(format));
    put(bits(format));
    put(dim);
    put(kind == PlaneKind.KEYS ? 1 : 0);
    put(kind == PlaneKind.VALUES ? 1 : 0);
    put(offset);
  }

  /// The format's number in `kv.cuh`.
  static int number(KvFormat format) {
    return switch (format) {
      case F32Format f -> 0;
      case F16Format f -> 1;
      case Bf16Format f -> 2;
      case Int8Format f -> 3;
      case Fp8Format f -> 4;
      case GroupFormat f -> 5;
      case LloydMaxFormat f -> 6;
      case LlamaByteFormat f -> 7;
      case LlamaSignedFormat f -> 8;
      case LlamaAffineFormat f -> 9;
      case KiviFormat f -> 10;
      case KvarnFormat f -> 11;
    };
  }

  private static int bits(KvFormat format) {
    return switch (format) {
      case F32Format f -> 32;
      case F16Format f -> 16;
      case Bf16Format f -> 16;
      case Int8Format f -> 8;
      case Fp8Format f -> 8;
      case GroupFormat f -> f.bits();
      case LloydMaxFormat f -> f.bits();
      case LlamaByteFormat f -> 8;
      case LlamaSignedFormat f -> f.bits();
      case LlamaAffineFormat f -> 5;
      case KiviFormat f -> f.bits();
      case KvarnFormat f -> f.bits();
    };
  }

  private void put(long value) {
    memory.set(ValueLayout.JAVA_LONG, at, value);
    at += 8;
  }

  @Override
  public void close() {
    arena.close();
  }
}
