package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GroupEncoderTest {
  private static final long SEED = Seeds.seed(41);
  private static final float[] ODD = {
    0,
    -0f,
    Float.NaN,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    1e30f,
    -1e30f,
    1e-30f,
    Float.MIN_VALUE,
    65504,
    -65504,
    0x1p-24f,
    -0x1p-25f,
    0.5f,
    -1.5f,
    7.5f
  };

  @ParameterizedTest
  @EnumSource(PlaneKind.class)
  void write_anyRow_sameBytesAsCodec(PlaneKind kind) {
    checkBytes(KvFormat.INT4, kind);
    checkBytes(KvFormat.INT8, kind);
  }

  private static void checkBytes(KvFormat format, PlaneKind kind) {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int dim : new int[] {32, 64, 96, 128, 256}) {
      int bytes = (int) format.planeBytes(32, dim, kind);
      MemorySegment expected = Arena.ofAuto().allocate(bytes);
      MemorySegment actual = Arena.ofAuto().allocate(bytes);
      TilePlace place = new TilePlace();
      place.memory = actual;
      place.blockTokens = 32;
      place.dim = dim;
      place.kind = kind;
      TileFormat tiles = TileFormat.of(format);
      for (int round = 0; round < 200; round++) {
        float[] row = row(random, dim, round);
        place.slot = random.nextInt(32);
        format.encode(row, 0, new KvPlane(expected, 0, 32, dim, kind), place.slot);
        tiles.write(place, row, 0);
        assertThat(actual.mismatch(expected))
            .as("%s %s dim %d round %d seed %d", format.name(), kind, dim, round, SEED)
            .isEqualTo(-1);
      }
    }
  }

  private static float[] row(SplittableRandom random, int dim, int round) {
    float[] row = Seeds.normal(random, dim, (float) Math.pow(10, random.nextInt(-6, 4)));
    for (int i = 0; i < round % 5; i++) {
      row[random.nextInt(dim)] = ODD[random.nextInt(ODD.length)];
    }
    if (round % 7 == 0) {
      java.util.Arrays.fill(row, ODD[round / 7 % ODD.length]);
    }
    return row;
  }

  @Test
  void write_manyRows_allocatesNothing() {
    var threads =
        (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
    TilePlace place = new TilePlace();
    place.memory = Arena.ofAuto().allocate(KvFormat.INT4.planeBytes(16, 64, PlaneKind.KEYS));
    place.blockTokens = 16;
    place.dim = 64;
    place.kind = PlaneKind.KEYS;
    TileFormat tiles = TileFormat.of(KvFormat.INT4);
    float[] row = Seeds.normal(new SplittableRandom(SEED), 64, 1);
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 300 && least > 0; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 200; i++) {
        place.slot = i % 16;
        tiles.write(place, row, 0);
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least).as("bytes in 200 rows").isZero();
  }
}
