package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.TileCodes;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// f32 as it is.
final class F32Tiles implements PlainTiles {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MachineTiles machine = MachineTiles.plain(TileCodes.Kind.F32);

  @Override
  public MachineTiles machine() {
    return machine;
  }

  @Override
  public void read(TilePlace place, long from, int count) {
    MemorySegment.copy(place.memory, FLOAT, from, place.numbers, place.at, count);
  }

  @Override
  public int size() {
    return Float.BYTES;
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    PlaneKind kind = place.kind;
    for (int i = 0; i < place.dim; i++) {
      long to = place.plane + 4 * kind.element(place.slot, i, place.dim);
      place.memory.set(FLOAT, to, source[from + i]);
    }
  }
}
