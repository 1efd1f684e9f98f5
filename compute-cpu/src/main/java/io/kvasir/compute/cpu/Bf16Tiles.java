package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.TileCodes;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// bf16 numbers.
final class Bf16Tiles implements PlainTiles {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MachineTiles machine = MachineTiles.plain(TileCodes.Kind.BF16);

  @Override
  public MachineTiles machine() {
    return machine;
  }

  @Override
  public void read(TilePlace place, long from, int count) {
    BlockDecoders.bf16(place.memory, from, place.numbers, place.at, count);
  }

  @Override
  public int size() {
    return Short.BYTES;
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    PlaneKind kind = place.kind;
    for (int i = 0; i < place.dim; i++) {
      int raw = Float.floatToRawIntBits(source[from + i]);
      int rounded = raw + 0x7fff + (raw >>> 16 & 1) >>> 16;
      int nan = raw >>> 16 | 0x40;
      short bits = (short) ((raw & 0x7fffffff) > 0x7f800000 ? nan : rounded);
      place.memory.set(SHORT, place.plane + 2 * kind.element(place.slot, i, place.dim), bits);
    }
  }
}
