package io.kvasir.compute.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every function against adding in the stated order, to the bit.
class PanelProductsTest {
  private static final int LANES = 16;

  private final SplittableRandom random = new SplittableRandom(9);

  /// One, two, three and four pieces of K, the last one whole or not.
  @ParameterizedTest
  @ValueSource(ints = {1, 64, 65, 128, 150, 193})
  void multiply_anyRowsAndTiles_addsInTheStatedOrder(int vectors) {
    assumeTrue(Processor.here().hasAvx512(), "[no-avx512] machine code needs AVX-512");
    for (int rows = 1; rows <= PanelProducts.MOST_ROWS; rows++) {
      check(rows, 1, vectors);
      check(rows, 3, vectors);
    }
    check(PanelProducts.MOST_ROWS, PanelProducts.MOST_OUTPUTS / PanelProducts.TILE, vectors);
  }

  private void check(int rows, int tiles, int vectors) {
    float[][] x = normal(rows, vectors);
    float[][] w = normal(tiles * PanelProducts.TILE, vectors);
    MemorySegment packed = packed(x, rows);
    MemorySegment panel = packed(w, PanelProducts.TILE);
    PanelCall call = new PanelCall();
    call.next(panel.address(), LANES);
    PanelProducts.multiply(call, packed.address(), rows, panel.address(), tiles, vectors);
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < w.length; o++) {
        long at = (long) r * PanelProducts.MOST_OUTPUTS + o;
        assertThat(call.results().getAtIndex(ValueLayout.JAVA_FLOAT, at))
            .as("row %d of %d, output %d, %d vectors", r, rows, o, vectors)
            .isEqualTo(dot(w[o], x[r]));
      }
    }
  }

  @Test
  void multiply_tooManyRowsOrTiles_throws() {
    PanelCall call = new PanelCall();
    assertThatThrownBy(() -> PanelProducts.multiply(call, 0, 7, 0, 1, 1)).hasMessageContaining("7");
    assertThatThrownBy(() -> PanelProducts.multiply(call, 0, 1, 0, 17, 1))
        .hasMessageContaining("17");
    assertThatThrownBy(() -> PanelProducts.multiply(call, 0, 1, 0, 1, 0)).hasMessageContaining("0");
  }

  private float[][] normal(int rows, int vectors) {
    float[][] values = new float[rows][vectors * LANES];
    for (float[] row : values) {
      for (int k = 0; k < row.length; k++) {
        row[k] = (float) random.nextGaussian();
      }
    }
    return values;
  }

  /// Tiles of rows, vector after vector.
  private static MemorySegment packed(float[][] rows, int tile) {
    int columns = rows[0].length;
    MemorySegment memory = Arena.ofAuto().allocate((long) rows.length * columns * Float.BYTES, 64);
    for (int r = 0; r < rows.length; r++) {
      for (int k = 0; k < columns; k++) {
        long vector = (long) r / tile * columns / LANES + k / LANES;
        long at = (vector * tile + r % tile) * LANES + k % LANES;
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, rows[r][k]);
      }
    }
    return memory;
  }

  /// The order of additions that all kernels have: sixteen lanes, then halves.
  private static float dot(float[] w, float[] x) {
    float[] lanes = new float[LANES];
    for (int k = 0; k < w.length; k++) {
      lanes[k % LANES] = Math.fma(w[k], x[k], lanes[k % LANES]);
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }
}
