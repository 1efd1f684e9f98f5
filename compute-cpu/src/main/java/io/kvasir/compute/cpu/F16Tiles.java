package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.TileCodes;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// f16 numbers. The compiler makes the machine's conversion instructions of the plain loop, which
/// the Vector API does not offer: four times as fast as shifting bits in vectors.
final class F16Tiles implements PlainTiles {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MachineTiles machine = MachineTiles.plain(TileCodes.Kind.F16);

  @Override
  public MachineTiles machine() {
    return machine;
  }

  @Override
  public void read(TilePlace place, long from, int count) {
    MemorySegment memory = place.memory;
    float[] numbers = place.numbers;
    int at = place.at;
    for (int i = 0; i < count; i++) {
      numbers[at + i] = Float.float16ToFloat(memory.get(SHORT, from + 2L * i));
    }
  }

  @Override
  public int size() {
    return Short.BYTES;
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    PlaneKind kind = place.kind;
    for (int i = 0; i < place.dim; i++) {
      long to = place.plane + 2 * kind.element(place.slot, i, place.dim);
      place.memory.set(SHORT, to, Float.floatToFloat16(source[from + i]));
    }
  }
}
