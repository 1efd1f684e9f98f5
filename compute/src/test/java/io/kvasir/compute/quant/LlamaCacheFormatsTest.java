package io.kvasir.compute.quant;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The cache's llama.cpp formats hold the codes and scales of GGML's blocks, only elsewhere.
final class LlamaCacheFormatsTest {
  private static final int DIM = 96;
  private static final int TOKENS = 32;

  @ParameterizedTest
  @CsvSource({"q8_0, Q8_0", "q4_0, Q4_0", "q5_0, Q5_0", "q5_1, Q5_1", "q4_0r, Q4_0"})
  void encode_anyRow_gathersToTheBytesOfTheBlocks(String name, String type) {
    KvFormat format = KvFormat.named(name);
    WeightEncoder encoder = TensorType.valueOf(type).encoder();
    int blockBytes = TensorType.valueOf(type).blockBytes();
    SplittableRandom random = new SplittableRandom(6);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment expected = arena.allocate(3L * blockBytes);
      for (PlaneKind kind : PlaneKind.values()) {
        KvPlane plane =
            new KvPlane(arena.allocate(format.planeBytes(TOKENS, DIM, kind)), 0, TOKENS, DIM, kind);
        for (int slot = 0; slot < TOKENS; slot++) {
          float[] row = row(random, slot);
          format.encode(row, 0, plane, slot);
          encoder.encode(row, 0, DIM, expected, 0);
          for (int group = 0; group < 3; group++) {
            assertThat(gather(plane, slot, group, type))
                .as("%s %s slot %s group %s", name, kind, slot, group)
                .isEqualTo(
                    expected
                        .asSlice((long) group * blockBytes, blockBytes)
                        .toArray(ValueLayout.JAVA_BYTE));
          }
        }
      }
    }
  }

  private static float[] row(SplittableRandom random, int slot) {
    float[] row = new float[DIM];
    for (int i = 0; i < DIM; i++) {
      row[i] =
          switch (slot % 4) {
            case 0 -> (float) random.nextGaussian();
            case 1 -> random.nextInt(-9, 10) * 0.5f;
            case 2 -> i < 32 ? 0 : (float) (random.nextGaussian() * Math.pow(10, i / 12 - 4));
            default -> 5 + (float) random.nextGaussian();
          };
    }
    return row;
  }

  /// One block of GGML from the planes of the cache.
  private static byte[] gather(KvPlane plane, int slot, int group, String type) {
    boolean min = type.equals("Q5_1");
    int bits = type.charAt(1) - '0';
    long codes = new CodePlanes(bits).bytes(TOKENS, DIM);
    long half = 2 * PlaneKind.KEYS.element(slot, group, DIM / 32);
    byte[] block = new byte[2 + (min ? 2 : 0) + 4 * bits];
    copy(plane, codes + half, 2, block, 0);
    int at = 2;
    if (min) {
      copy(plane, codes + 2L * TOKENS * (DIM / 32) + half, 2, block, 2);
      at = 4;
    }
    int low = bits == 8 ? 32 : 16;
    if (bits == 5) {
      // GGML has the fifth bits of all 32 elements in a word before the nibbles.
      int fifth = 0;
      for (int i = 0; i < 32; i++) {
        long index = plane.kind().element(slot, group * 4 + i % 4, DIM / 8);
        int bit = plane.memory().get(ValueLayout.JAVA_BYTE, 16L * 3 * TOKENS + index) >>> i / 4 & 1;
        fifth |= bit << i;
      }
      for (int i = 0; i < 4; i++) {
        block[at++] = (byte) (fifth >>> 8 * i);
      }
    }
    for (int i = 0; i < low; i++) {
      long index = plane.kind().element(slot, group * low + i, 3 * low);
      copy(plane, index, 1, block, at++);
    }
    return block;
  }

  private static void copy(KvPlane plane, long from, int count, byte[] to, int at) {
    MemorySegment.copy(plane.memory(), ValueLayout.JAVA_BYTE, from, to, at, count);
  }
}
