package io.kvasir.compute.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RowRoundingTest {
  private static final int COUNT = 1 << 16;
  private static final int AT = 3;

  private final RowRounding rounding = new RowRounding();

  /// Subnormals, infinities and halves between two numbers among them.
  @Test
  void round_anyBits_roundsToTheNearestEven() {
    assumeTrue(Operands.BF16.isSupported(), "[no-avx512-bf16] needs AVX512_BF16");
    SplittableRandom random = new SplittableRandom(5);
    float[] from = new float[AT + COUNT];
    for (int i = 0; i < COUNT; i++) {
      int low = i % 3 == 0 ? 0x8000 : random.nextInt() & 0xffff;
      from[AT + i] = Float.intBitsToFloat(i << 16 | low);
    }
    MemorySegment to = Arena.ofAuto().allocate(2L * Short.BYTES * COUNT, 64);
    rounding.round(from, AT, COUNT, to.address(), 2L * Operands.VECTOR);
    for (int i = 0; i < COUNT; i++) {
      long at = (long) i / 32 * 64 + i % 32;
      Float actual = Float.intBitsToFloat(to.getAtIndex(ValueLayout.JAVA_SHORT, at) << 16);
      assertThat(actual)
          .as("%a", from[AT + i])
          .isEqualTo(Float.valueOf(LaneSums.rounded(from[AT + i])));
    }
  }

  @Test
  void round_partOfAVector_throws() {
    float[] from = new float[64];
    assertThatThrownBy(() -> rounding.round(from, 0, 40, 0, 0)).hasMessageContaining("40");
    assertThatThrownBy(() -> rounding.round(from, 0, 0, 0, 0)).hasMessageContaining("0");
  }
}
