package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Products of 9 to 256 rows, whose kernels have twins in the emulated driver.
final class StreamedRowsTest {
  private static final int COLUMNS = 64;
  private static final int OUTPUTS = 24;

  @AfterEach
  void makeMaps() {
    EmulatedDriver.call("emulated_maps", 0);
  }

  private static CudaBackend open() {
    return EmulatedDriver.open(false);
  }

  private static Tensor tensor(int seed, int rows, int columns) {
    MemorySegment data = Arena.ofAuto().allocate(2L * rows * columns, 64);
    TensorType.BF16.encoder().encode(normal(seed, rows * columns), 0, rows * columns, data, 0);
    return new Tensor("w", TensorType.BF16, new long[] {rows, columns}, data);
  }

  private static float[] normal(int seed, int count) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static float[] read(Backend backend, Buffer buffer, int rows) {
    float[] values = new float[rows * buffer.columns()];
    for (int r = 0; r < rows; r++) {
      backend.read(buffer, r, values, r * buffer.columns());
    }
    return values;
  }

  private static void assertClose(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], within(0.1f));
    }
  }

  /// What the same buffers hold after two products, of which the second's rows the host wrote.
  private static float[] productAfterWrite(Backend backend, int rows) {
    try (backend) {
      Linear linear = new Linear(backend.weight(tensor(1, OUTPUTS, COLUMNS)), null);
      Buffer in = backend.buffer(rows, COLUMNS);
      Buffer out = backend.buffer(rows, OUTPUTS);
      backend.write(normal(2, rows * COLUMNS), in);
      backend.linear(linear, in, out, rows);
      read(backend, out, rows);
      backend.write(normal(3, rows * COLUMNS), in);
      backend.linear(linear, in, out, rows);
      return read(backend, out, rows);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {9, 17, 70, 130})
  void linear_rowsWrittenAnew_multipliesThese(int rows) {
    assertClose(productAfterWrite(open(), rows), productAfterWrite(new ReferenceBackend(), rows));
  }

  private static float[] network(Backend backend, int rows) {
    try (backend) {
      FeedForward network =
          new FeedForward(
              new Linear(backend.weight(tensor(4, 2 * COLUMNS, COLUMNS)), null),
              new Linear(backend.weight(tensor(5, 2 * COLUMNS, COLUMNS)), null),
              new Linear(backend.weight(tensor(6, OUTPUTS, 2 * COLUMNS)), null),
              Activation.SILU);
      Buffer in = backend.buffer(rows, COLUMNS);
      Buffer out = backend.buffer(rows, OUTPUTS);
      float[] x = normal(7, rows * COLUMNS);
      for (int i = 0; i < x.length; i++) {
        x[i] *= 0.1f;
      }
      backend.write(x, in);
      backend.feedForward(network, in, out, rows);
      return read(backend, out, rows);
    }
  }

  @Test
  void feedForward_mapsMadeOrRefused_matchesTheReference() {
    float[] expected = network(new ReferenceBackend(), 20);
    assertClose(network(open(), 20), expected);
    EmulatedDriver.call("emulated_maps", 801);
    assertClose(network(open(), 20), expected);
  }

  /// A driver of before the copy engine.
  @Test
  @SuppressWarnings("restricted") // loads the emulated driver
  void open_driverWithoutTensorMaps_multipliesAllTheSame() {
    SymbolLookup all = SymbolLookup.libraryLookup(EmulatedDriver.library(), Arena.global());
    SymbolLookup old =
        name -> name.equals("cuTensorMapEncodeTiled") ? Optional.empty() : all.find(name);
    CudaBackend.Opening opening = CudaOpening.open(CudaDriver.bind(old), 0, false);

    assertThat(opening).isInstanceOf(CudaBackend.Ready.class);
    assertClose(
        productAfterWrite(((CudaBackend.Ready) opening).backend(), 30),
        productAfterWrite(new ReferenceBackend(), 30));
  }
}
