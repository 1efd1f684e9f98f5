package io.kvasir.compute.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every function against decoding with the codec and adding in the stated order, to the bit.
class RowProductsTest {
  private static final int COLUMNS = 768;
  private static final int GROUPS = 3;
  private static final float LARGEST = 64;

  private final SplittableRandom random = new SplittableRandom(7);
  private final RowCall call = new RowCall();

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {
        "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K",
        "IQ4_NL", "IQ4_XS", "MXFP4"
      })
  void multiply_allShapes_hasTheBitsOfDecodingFirst(TensorType type) {
    assumeTrue(MachineCode.isSupported(), "[no-avx512] machine code needs AVX-512");
    for (Operands operands : Operands.values()) {
      if (operands.isSupported()) {
        multiply(type, operands);
      }
    }
  }

  private void multiply(TensorType type, Operands operands) {
    RowProducts products = Objects.requireNonNull(RowProducts.of(type, operands));
    for (int rows = 1; rows <= RowProducts.MOST_ROWS; rows++) {
      for (int group = 1; group <= products.groupSize(rows); group++) {
        check(products, type, operands, rows, group);
      }
    }
  }

  @Test
  void multiply_closedWeights_throws() {
    assumeTrue(MachineCode.isSupported(), "[no-avx512] machine code needs AVX-512");
    Arena arena = Arena.ofShared();
    MemorySegment weights = arena.allocate(TensorType.F32.bytes(COLUMNS));
    call.inputs(Arena.ofAuto().allocate(4L * COLUMNS, 64).address(), 1, COLUMNS);
    RowProducts products = Objects.requireNonNull(RowProducts.of(TensorType.F32, Operands.F32));
    call.groups(0, 0, 0, 1);
    products.multiply(call, 1, weights);
    arena.close();

    assertThatThrownBy(() -> products.multiply(call, 1, weights))
        .isInstanceOf(IllegalStateException.class);
  }

  private void check(
      RowProducts products, TensorType type, Operands operands, int rows, int group) {
    long rowBytes = type.bytes(COLUMNS);
    MemorySegment weights = weights(type, GROUPS * group);
    float[][] x = new float[rows][COLUMNS];
    for (float[] row : x) {
      for (int k = 0; k < COLUMNS; k++) {
        row[k] = (float) random.nextGaussian();
      }
    }
    MemorySegment packed = PackedTiles.of(operands, x, rows);
    call.inputs(packed.address(), rows, COLUMNS);
    call.groups(0, GROUPS * rowBytes, rowBytes, GROUPS);
    products.multiply(call, group, weights);

    float[] w = new float[COLUMNS];
    for (int o = 0; o < GROUPS * group; o++) {
      type.codec().decode(weights, o * rowBytes, w, 0, COLUMNS);
      for (int r = 0; r < rows; r++) {
        int at = (o % GROUPS * rows + r) * group + o / GROUPS;
        assertThat(call.sum(at))
            .as("%s in %s, %d rows, output %d of groups of %d", type, operands, rows, o, group)
            .isEqualTo(LaneSums.dot(operands, w, x[r]));
      }
    }
  }

  /// Random bytes, drawn again until they decode to moderate numbers, off any alignment.
  private MemorySegment weights(TensorType type, int rows) {
    long bytes = rows * type.bytes(COLUMNS);
    MemorySegment memory = Arena.ofAuto().allocate(bytes + 2, 64).asSlice(2, bytes);
    float[] values = new float[type.blockElements()];
    for (long at = 0; at < bytes; at += type.blockBytes()) {
      do {
        for (long i = 0; i < type.blockBytes(); i++) {
          memory.set(ValueLayout.JAVA_BYTE, at + i, (byte) random.nextInt());
        }
        type.codec().decode(memory, at, values, 0, values.length);
      } while (!moderate(values));
    }
    return memory;
  }

  private static boolean moderate(float[] values) {
    for (float value : values) {
      if (!(Math.abs(value) <= LARGEST)) {
        return false;
      }
    }
    return true;
  }
}
