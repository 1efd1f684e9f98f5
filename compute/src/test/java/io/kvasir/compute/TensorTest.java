package io.kvasir.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class TensorTest {

  private static Tensor f32(int... shape) {
    long[] dims = new long[shape.length];
    int count = 1;
    for (int i = 0; i < shape.length; i++) {
      dims[i] = shape[i];
      count *= shape[i];
    }
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = i;
    }
    byte[] bytes = new byte[4 * count];
    TensorType.F32.encoder().encode(values, 0, count, MemorySegment.ofArray(bytes), 0);
    return new Tensor("t", TensorType.F32, dims, MemorySegment.ofArray(bytes));
  }

  @Test
  void rowsColumnsElements_ofThreeDimensions_areOuterProductAndLast() {
    Tensor t = f32(2, 3, 4);
    assertThat(t.elements()).isEqualTo(24);
    assertThat(t.rows()).isEqualTo(6);
    assertThat(t.columns()).isEqualTo(4);
    assertThat(t.rowBytes()).isEqualTo(16);
    assertThat(f32().rows()).isEqualTo(1);
    assertThat(f32().columns()).isEqualTo(1);
    assertThat(f32(5).rows()).isEqualTo(1);
  }

  @Test
  void sliceRows_middle_seesTheSameBytes() {
    Tensor t = f32(2, 3, 4);
    Tensor rows = t.sliceRows(1, 3);
    assertThat(rows.shape()).containsExactly(2, 4);
    assertThat(rows.toFloats()).containsExactly(4, 5, 6, 7, 8, 9, 10, 11);
    assertThat(rows.data().heapBase()).isEqualTo(t.data().heapBase());
    assertThatThrownBy(() -> t.sliceRows(5, 7)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void at_outermostIndex_dropsTheDimension() {
    Tensor expert = f32(2, 3, 4).at(1);
    assertThat(expert.shape()).containsExactly(3, 4);
    assertThat(expert.toFloats()).startsWith(12, 13).hasSize(12);
  }

  @Test
  void decodeRow_second_fillsTarget() {
    float[] target = new float[6];
    f32(2, 3, 4).decodeRow(1, target, 2);
    assertThat(target).containsExactly(0, 0, 4, 5, 6, 7);
  }

  @Test
  void constructor_badShapeOrSize_isRefusedWithTheValues() {
    MemorySegment none = MemorySegment.ofArray(new byte[0]);
    assertThatThrownBy(() -> new Tensor("w", TensorType.F32, new long[] {-1}, none))
        .hasMessageContaining("'w'")
        .hasMessageContaining("-1");
    assertThatThrownBy(() -> new Tensor("w", TensorType.F32, new long[] {1L << 40, 1L << 40}, none))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Tensor("w", TensorType.I64, new long[] {1L << 61}, none))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Tensor("w", TensorType.Q8_0, new long[] {33}, none))
        .hasMessageContaining("blocks of 32");
    assertThatThrownBy(() -> new Tensor("w", TensorType.F32, new long[] {2}, none))
        .hasMessageContaining("takes 8 bytes but has 0");
    assertThatThrownBy(() -> new Tensor("w", TensorType.F32, new long[9], none))
        .hasMessageContaining("9 dimensions");
  }

  @Test
  void shape_changedByTheCaller_staysAsItWas() {
    Tensor t = f32(2, 3);
    t.shape()[0] = 99;
    assertThat(t.shape()).containsExactly(2, 3);
    assertThat(t.data().isReadOnly()).isTrue();
  }
}
