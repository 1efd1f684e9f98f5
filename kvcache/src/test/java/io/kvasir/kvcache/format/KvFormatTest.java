package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class KvFormatTest {
  private static final float[] SPECIAL = {
    0f,
    -0f,
    1f,
    -1f,
    65504f,
    65519f,
    65520f,
    0x1p-27f,
    Float.MIN_VALUE,
    Float.MAX_VALUE,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.NaN,
    0x1.01p0f,
    0x1.03p0f,
    0x1p-24f
  };

  private static float[] roundTrip(KvFormat format, float[] row, int slot) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory =
          arena.allocate(64 + format.planeBytes(16, row.length, PlaneKind.VALUES), 64);
      KvPlane plane = new KvPlane(memory, 64, 16, row.length, PlaneKind.VALUES);
      format.encode(row, 0, plane, slot);
      float[] result = new float[row.length];
      format.decode(plane, slot, result, 0);
      return result;
    }
  }

  @Test
  void f32_anyValue_isExact() {
    assertThat(roundTrip(KvFormat.F32, SPECIAL, 15)).containsExactly(SPECIAL);
  }

  @Test
  void f16_anyValue_isTheNearestHalf() {
    float[] result = roundTrip(KvFormat.F16, SPECIAL, 3);
    for (int i = 0; i < SPECIAL.length; i++) {
      float expected = Float.float16ToFloat(Float.floatToFloat16(SPECIAL[i]));
      assertThat(Float.floatToIntBits(result[i])).isEqualTo(Float.floatToIntBits(expected));
    }
    assertThat(result[4]).isEqualTo(65504f);
    assertThat(result[6]).isInfinite();
  }

  @Test
  void bf16_anyValue_isTheNearest() {
    SplittableRandom random = new SplittableRandom(5);
    float[] row = new float[200];
    for (int i = 0; i < row.length; i++) {
      row[i] = i < SPECIAL.length ? SPECIAL[i] : Float.intBitsToFloat(random.nextInt());
    }
    float[] result = roundTrip(KvFormat.BF16, row, 0);
    for (int i = 0; i < row.length; i++) {
      if (Float.isNaN(row[i])) {
        assertThat(result[i]).isNaN();
        continue;
      }
      assertThat(Float.floatToRawIntBits(result[i]) & 0xffff).isZero();
      double spacing = Math.abs((double) Math.ulp(row[i])) * 65536;
      if (Float.isFinite(result[i])) {
        assertThat(Math.abs((double) result[i] - row[i])).isLessThanOrEqualTo(spacing / 2);
      }
    }
    // Halfway cases go to the even neighbour.
    assertThat(roundTrip(KvFormat.BF16, new float[] {0x1.01p0f}, 0)[0]).isEqualTo(1f);
    assertThat(roundTrip(KvFormat.BF16, new float[] {0x1.03p0f}, 0)[0]).isEqualTo(1.015625f);
  }

  @Test
  void named_unknown_listsAll() {
    assertThatThrownBy(() -> KvFormat.named("q9"))
        .hasMessageContaining("q9")
        .hasMessageContaining("f16");
    for (KvFormat format : KvFormat.ALL) {
      assertThat(KvFormat.named(format.name())).isSameAs(format);
    }
  }
}
