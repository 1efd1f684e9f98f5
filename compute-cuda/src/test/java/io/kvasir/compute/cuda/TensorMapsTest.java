package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.quant.TensorType;
import org.junit.jupiter.api.Test;

final class TensorMapsTest {
  @Test
  void joins_matricesApartInEitherOrder_areOneMap() {
    assertThat(TensorMaps.joins(weight(712, 1 << 20), weight(712, 1 << 22))).isTrue();
    assertThat(TensorMaps.joins(weight(712, 1 << 22), weight(712, 1 << 20))).isTrue();
  }

  @Test
  void joins_whatBoxesOfEightRowsCannotHold_isRefused() {
    assertThat(TensorMaps.joins(weight(331, 1 << 20), weight(331, 1 << 22))).isFalse();
    assertThat(TensorMaps.joins(weight(712, 1 << 20), weight(712, 1 << 20))).isFalse();
    assertThat(TensorMaps.joins(weight(712, 1 << 20), weight(712, (1 << 22) + 8))).isFalse();
    assertThat(TensorMaps.joins(weight(712, 1 << 20), weight(712, (1L << 40) + (1 << 20))))
        .isFalse();
  }

  private static CudaWeight weight(int rows, long pointer) {
    return new CudaWeight("w", TensorType.BF16, rows, 512, pointer, 1024);
  }
}
