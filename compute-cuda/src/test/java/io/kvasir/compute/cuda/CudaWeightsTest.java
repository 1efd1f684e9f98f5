package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Where weights are put, on the emulated driver with little memory.
final class CudaWeightsTest {
  private static final int MIB = 1 << 20;

  @AfterEach
  void giveMemoryBack() {
    EmulatedDriver.call("emulated_limit", -1);
  }

  private static Tensor tensor(String name, int mebibytes) {
    return new Tensor(
        name,
        TensorType.F32,
        new long[] {mebibytes, MIB / 4},
        Arena.ofAuto().allocate((long) mebibytes * MIB, 64));
  }

  /// Weights of 3 MiB, of which a mixture of experts has many, to the last that fits.
  @Test
  void weight_littleMemoryLeft_takesAllOfIt() {
    try (Backend backend = EmulatedDriver.open()) {
      EmulatedDriver.call("emulated_limit", 100 * MIB);
      int count = 0;
      String message = "";
      while (message.isEmpty()) {
        try {
          backend.weight(tensor("w" + count, 3));
          count++;
        } catch (CudaException e) {
          message = String.valueOf(e.getMessage());
        }
      }
      assertThat(count).isGreaterThanOrEqualTo(31);
      assertThat(message)
          .startsWith("GPU 0 (emulated) has too little memory: 3,145,728 bytes of weights of 'w")
          .contains("do not fit into");
    }
  }

  @Test
  void weight_smallerThanWhatALargerOneLeft_goesThere() {
    try (Backend backend = EmulatedDriver.open()) {
      EmulatedDriver.call("emulated_limit", 24 * MIB);
      backend.weight(tensor("a", 2)); // begins a chunk of 8
      backend.weight(tensor("b", 5));
      backend.weight(tensor("c", 12)); // has no room there
      backend.weight(tensor("d", 1)); // has
      assertThatThrownBy(() -> backend.weight(tensor("e", 7)))
          .isInstanceOf(CudaException.class)
          .hasMessageContaining("7,340,032 bytes of weights of 'e'");
    }
  }
}
