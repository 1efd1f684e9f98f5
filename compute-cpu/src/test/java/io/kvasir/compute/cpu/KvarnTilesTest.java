package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvarnFormat;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class KvarnTilesTest {
  @Test
  void read_keysAndValues_hasTheBitsOfTheCodec() {
    SplittableRandom random = new SplittableRandom(3);
    for (int bits = 2; bits <= 4; bits++) {
      for (int dim : new int[] {16, 40, 64, 80, 96, 128, 256}) {
        check(new KvarnFormat(bits), dim, 64, random);
        check(new KvarnFormat(bits), dim, 128, random);
      }
    }
  }

  private static void check(KvarnFormat format, int dim, int tokens, SplittableRandom random) {
    for (PlaneKind kind : new PlaneKind[] {PlaneKind.KEYS, PlaneKind.VALUES}) {
      try (Arena arena = Arena.ofConfined()) {
        TilePlace place = new TilePlace();
        place.memory = arena.allocate(format.planeBytes(tokens, dim, kind) + 128, 64);
        place.blockTokens = tokens;
        place.dim = dim;
        place.kind = kind;
        place.numbers = new float[4 * 16 * dim];
        float[] rows = new float[KvarnFormat.TILE * dim];
        for (int slot = 0; slot < tokens; slot += KvarnFormat.TILE) {
          for (int i = 0; i < rows.length; i++) {
            rows[i] = (float) (random.nextGaussian() * Math.exp(random.nextDouble(-3, 3)));
          }
          format.encode(rows, 0, place.toPlane(), slot);
        }
        for (place.slot = 0; place.slot < tokens; place.slot += 16) {
          place.tiles = 1 + random.nextInt(Math.min(4, (tokens - place.slot) / 16));
          float[] fast = read(new KvarnTiles(format), place);
          assertThat(fast)
              .as("%s, %s of %d, slot %d", format.name(), kind, dim, place.slot)
              .containsExactly(read(new CodecTiles(format), place));
        }
      }
    }
  }

  private static float[] read(TileFormat tiles, TilePlace place) {
    Arrays.fill(place.numbers, Float.NaN);
    if (place.kind == PlaneKind.KEYS) {
      tiles.readKeys(place);
    } else {
      tiles.readValues(place);
    }
    return Arrays.copyOf(place.numbers, place.tiles * 16 * place.dim);
  }
}
