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
    assumeTrue(Instructions.AVX2.isSupported(), "[no-avx2] machine code needs AVX2");
    for (Instructions instructions : Instructions.values()) {
      for (Operands operands : Operands.values()) {
        if (operands.isSupported(instructions)) {
          multiply(type, operands, instructions);
        }
      }
    }
  }

  private void multiply(TensorType type, Operands operands, Instructions instructions) {
    RowProducts products = Objects.requireNonNull(RowProducts.of(type, operands, instructions));
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
    RowProducts products =
        Objects.requireNonNull(RowProducts.of(TensorType.F32, Operands.F32, Instructions.AVX512));
    call.groups(0, 0, 0, 1);
    products.multiply(call, 1, weights);
    arena.close();

    assertThatThrownBy(() -> products.multiply(call, 1, weights))
        .isInstanceOf(IllegalStateException.class);
  }

  /// Decoding to a panel, beside rows of `x` or alone, against the codec.
  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {
        "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K",
        "IQ4_NL", "IQ4_XS", "MXFP4"
      })
  void decode_eachFormat_writesTilesOfTheCodecsWeights(TensorType type) {
    assumeTrue(Instructions.AVX2.isSupported(), "[no-avx2] machine code needs AVX2");
    for (Instructions instructions : Instructions.values()) {
      if (Operands.F32.isSupported(instructions)) {
        decode(Objects.requireNonNull(RowProducts.of(type, Operands.F32, instructions)), type);
      }
    }
  }

  private void decode(RowProducts products, TensorType type) {
    int outputs = 2 * PanelProducts.TILE;
    long rowBytes = type.bytes(COLUMNS);
    MemorySegment weights = weights(type, outputs);
    int rows = products.rowsBesideDecoding();
    MemorySegment x = Arena.ofAuto().allocate(4L * RowProducts.MOST_ROWS * COLUMNS, 64);
    call.inputs(x.address(), rows, COLUMNS);
    call.groups(0, rowBytes, PanelProducts.TILE * rowBytes, outputs / PanelProducts.TILE);
    MemorySegment panel = Arena.ofAuto().allocate(4L * outputs * COLUMNS, 64);
    products.decode(call, weights, panel.address(), new PanelCall());

    float[][] decoded = new float[outputs][COLUMNS];
    for (int o = 0; o < outputs; o++) {
      type.codec().decode(weights, o * rowBytes, decoded[o], 0, COLUMNS);
    }
    MemorySegment expected = PackedTiles.of(Operands.F32, decoded, PanelProducts.TILE);
    for (int i = 0; i < outputs * COLUMNS; i++) {
      // Zeros of both signs are equal.
      assertThat(panel.getAtIndex(ValueLayout.JAVA_FLOAT, i) + 0f)
          .as("%s beside %d rows, float %d", type, rows, i)
          .isEqualTo(expected.getAtIndex(ValueLayout.JAVA_FLOAT, i) + 0f);
    }
  }

  @Test
  void decode_besideOtherRows_throws() {
    assumeTrue(Instructions.AVX2.isSupported(), "[no-avx2] machine code needs AVX2");
    RowProducts products =
        Objects.requireNonNull(RowProducts.of(TensorType.F32, Operands.F32, Instructions.AVX2));
    MemorySegment weights = Arena.ofAuto().allocate(4 * TensorType.F32.bytes(COLUMNS));
    call.inputs(0, 3, COLUMNS);
    call.groups(0, 0, 0, 1);

    assertThatThrownBy(() -> products.decode(call, weights, 0, new PanelCall()))
        .hasMessageContaining("beside 0 rows: 3");
    call.inputs(0, 0, COLUMNS);
    assertThatThrownBy(() -> products.multiply(call, 1, weights)).hasMessageContaining("0 rows");
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
