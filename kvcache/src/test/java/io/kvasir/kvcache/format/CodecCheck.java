package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/// Planes in fresh memory with guard bytes around them, and rows to put there.
final class CodecCheck {
  static final int[] DIMS = {
    1, 4, 6, 8, 13, 16, 31, 32, 33, 64, 80, 96, 112, 128, 192, 256, 512, 576
  };
  private static final int GUARD = 64;
  private static final byte PATTERN = (byte) 0xa5;

  private CodecCheck() {}

  /// A plane in memory full of a pattern.
  static KvPlane plane(KvFormat format, int blockTokens, int dim, PlaneKind kind) {
    long bytes = format.planeBytes(blockTokens, dim, kind);
    MemorySegment memory = Arena.ofAuto().allocate(2 * GUARD + bytes, 64);
    memory.fill(PATTERN);
    return new KvPlane(memory, GUARD, blockTokens, dim, kind);
  }

  /// That nothing was written around the plane.
  static void assertGuarded(KvFormat format, KvPlane plane) {
    long end = GUARD + format.planeBytes(plane.blockTokens(), plane.dim(), plane.kind());
    MemorySegment guard = MemorySegment.ofArray(new byte[GUARD]).fill(PATTERN);
    assertThat(plane.memory().asSlice(0, GUARD).mismatch(guard)).isEqualTo(-1);
    assertThat(plane.memory().asSlice(end, GUARD).mismatch(guard))
        .as("%s wrote behind a plane of %s rows of %s", format, plane.blockTokens(), plane.dim())
        .isEqualTo(-1);
  }

  /// `rows` rows of `dim` normal numbers.
  static float[] gaussian(SplittableRandom random, int rows, int dim, double deviation) {
    float[] x = new float[rows * dim];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (deviation * random.nextGaussian());
    }
    return x;
  }

  /// Encodes all rows of a block and reads them back.
  static float[] roundTrip(KvFormat format, float[] rows, KvPlane plane) {
    int tile = format.tileTokens(plane.kind());
    for (int slot = 0; slot < plane.blockTokens(); slot += tile) {
      format.encode(rows, slot * plane.dim(), plane, slot);
    }
    assertGuarded(format, plane);
    return decode(format, plane);
  }

  static float[] decode(KvFormat format, KvPlane plane) {
    float[] rows = new float[plane.blockTokens() * plane.dim()];
    for (int slot = 0; slot < plane.blockTokens(); slot++) {
      format.decode(plane, slot, rows, slot * plane.dim());
    }
    return rows;
  }

  /// Squared error over squared size.
  static double error(float[] exact, float[] read) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < exact.length; i++) {
      double difference = (double) exact[i] - read[i];
      error += difference * difference;
      size += (double) exact[i] * exact[i];
    }
    return error / size;
  }
}
