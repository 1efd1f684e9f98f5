package io.kvasir.compute.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every function against adding in the stated order, to the bit.
class PanelProductsTest {
  private final SplittableRandom random = new SplittableRandom(9);
  private float scale = 1;

  /// One, two, three and four pieces of K, the last one whole or not.
  @ParameterizedTest
  @ValueSource(ints = {1, 64, 65, 128, 150, 193})
  void multiply_anyRowsAndTiles_addsInTheStatedOrder(int vectors) {
    assumeTrue(Instructions.AVX2.isSupported(), "[no-avx2] machine code needs AVX2");
    for (Instructions instructions : Instructions.values()) {
      for (Operands operands : Operands.values()) {
        if (operands.isSupported(instructions)) {
          multiply(operands, instructions, vectors);
        }
      }
    }
  }

  private void multiply(Operands operands, Instructions instructions, int vectors) {
    PanelProducts products = PanelProducts.of(operands, instructions);
    for (int rows = 1; rows <= PanelProducts.MOST_ROWS; rows++) {
      check(products, operands, rows, 1, vectors);
      check(products, operands, rows, 3, vectors);
    }
    int tiles = PanelProducts.MOST_OUTPUTS / PanelProducts.TILE;
    check(products, operands, PanelProducts.MOST_ROWS, tiles, vectors);
  }

  private void check(PanelProducts products, Operands operands, int rows, int tiles, int vectors) {
    int columns = vectors * operands.lanes();
    float[][] x = normal(rows, columns);
    float[][] w = normal(tiles * PanelProducts.TILE, columns);
    MemorySegment packed = PackedTiles.of(operands, x, rows);
    MemorySegment panel = PackedTiles.of(operands, w, PanelProducts.TILE);
    PanelCall call = new PanelCall();
    call.next(panel.address(), 16);
    products.multiply(call, packed.address(), rows, panel.address(), tiles, vectors);
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < w.length; o++) {
        long at = (long) r * PanelProducts.MOST_OUTPUTS + o;
        assertThat(call.results().getAtIndex(ValueLayout.JAVA_FLOAT, at))
            .as("row %d of %d, output %d, %d vectors of %s", r, rows, o, vectors, operands)
            .isEqualTo(LaneSums.dot(operands, w[o], x[r]));
      }
    }
  }

  @Test
  void multiply_tooManyRowsOrTiles_throws() {
    PanelCall call = new PanelCall();
    PanelProducts wide = PanelProducts.of(Operands.F32, Instructions.AVX512);
    assertThatThrownBy(() -> wide.multiply(call, 0, 7, 0, 1, 1)).hasMessageContaining("7");
    assertThatThrownBy(() -> wide.multiply(call, 0, 1, 0, 17, 1)).hasMessageContaining("17");
    assertThatThrownBy(() -> wide.multiply(call, 0, 1, 0, 1, 0)).hasMessageContaining("0");
    PanelProducts narrow = PanelProducts.of(Operands.F32, Instructions.AVX2);
    assertThatThrownBy(() -> narrow.multiply(call, 0, 7, 0, 1, 1)).hasMessageContaining("7 rows");
    assertThatThrownBy(() -> PanelProducts.of(Operands.BF16, Instructions.AVX2))
        .hasMessageContaining("BF16");
  }

  @Test
  void multiply_tinyNumbersOfBf16_takesSubnormalsAsZero() {
    assumeTrue(Operands.BF16.isSupported(), "[no-avx512-bf16] needs AVX512_BF16");
    PanelProducts bf16 = PanelProducts.of(Operands.BF16, Instructions.AVX512);
    float unit = 0x1p-64f;
    for (int i = 0; i < 8; i++) {
      scale = unit;
      check(bf16, Operands.BF16, 2, 1, 3);
      unit *= 1.5f;
    }
    scale = 0x1p-127f;
    check(bf16, Operands.BF16, 2, 1, 3);
  }

  private float[][] normal(int rows, int columns) {
    float[][] values = new float[rows][columns];
    for (float[] row : values) {
      for (int k = 0; k < row.length; k++) {
        row[k] = scale * (float) random.nextGaussian();
      }
    }
    return values;
  }
}
