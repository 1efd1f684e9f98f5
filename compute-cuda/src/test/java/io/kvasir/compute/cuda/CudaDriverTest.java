package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class CudaDriverTest {
  @Test
  void load_noSuchLibrary_saysThatThereIsNoDriver() {
    CudaDriver.Loading loading = CudaDriver.load("libcuda-that-is-not-here.so.1");

    assertThat(loading)
        .isEqualTo(
            new CudaDriver.Missing(
                "there is no NVIDIA driver on this machine (libcuda-that-is-not-here.so.1)"));
  }

  @Test
  void load_libraryWithoutTheFunctions_saysWhichIsMissing() {
    CudaDriver.Loading loading = CudaDriver.load("libm.so.6");

    assertThat(loading).isInstanceOf(CudaDriver.Missing.class);
    assertThat(((CudaDriver.Missing) loading).reason())
        .startsWith("the NVIDIA driver is too old: libm.so.6 lacks a function")
        .contains("cuInit");
  }
}
