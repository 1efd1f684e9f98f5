package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.format.ExactRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Fills the `SharedCall` of `attention_shared.cuh`.
final class SharedArguments {
  private static final int BYTES = 160;

  /// Where what follows the `DecodeCall` begins.
  private static final int OWN = 136;

  /// Queries that a block of threads takes at once, of rows of up to 128 elements and of others.
  private static final int COLUMNS = 64;

  private static final int WIDE_COLUMNS = 32;

  private final MemorySegment memory;

  SharedArguments(Arena arena) {
    memory = arena.allocate(BYTES, 8);
  }

  /// Where a call's queries and partial results are; device addresses.
  record Operands(long q, long centre, long acc, long ml, long firstSlot) {}

  MemorySegment of(TensorCoreAttention.Call call, KvPlace place, Operands operands) {
    AttentionSpec spec = call.spec();
    StepTables tables = call.tables();
    long[] pointers = {
      operands.q(),
      operands.centre(),
      spec.slopes() == null ? 0 : CudaBuffer.of(spec.slopes()).pointer(),
      tables.positions(),
      place.pool(),
      place.blockBytes(),
      place.keyOffset(),
      place.headBytes(),
      place.valueOffset(),
      place.tables(),
      0,
      tables.sharedCount(),
      operands.acc(),
      operands.ml()
    };
    ExactRows exact = call.batch().layout().kv(spec.cacheLayer()).exact();
    int[] numbers = {
      Float.floatToRawIntBits(spec.scale()),
      Float.floatToRawIntBits(spec.softcap()),
      place.tilesPerBlock(),
      spec.heads(),
      spec.kvHeads()
    };
    TensorCoreAttention.fill(memory, pointers, numbers);
    memory.set(ValueLayout.JAVA_LONG, OWN, tables.sharedCount() + 4);
    memory.set(ValueLayout.JAVA_LONG, OWN + 8, operands.firstSlot());
    memory.set(ValueLayout.JAVA_INT, OWN + 16, exact.sinks());
    return memory;
  }

  /// Blocks of threads for an item.
  static int blocks(TensorCoreAttention.Call call) {
    AttentionSpec spec = call.spec();
    int queries = call.tables().shared().rowsOfItem() * spec.groupSize();
    int columns = spec.keyDim() <= 128 ? COLUMNS : WIDE_COLUMNS;
    return spec.kvHeads() * ((queries + columns - 1) / columns);
  }
}
