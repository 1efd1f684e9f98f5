package io.kvasir.acceptance;

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
import java.util.SplittableRandom;
import java.util.function.Supplier;

/// Products of bf16 weights on a GPU against the reference, for numbers of rows that different
/// kernels take: queries, keys and values in one launch, and a gated network.
final class GpuProducts {
  private static final int COLUMNS = 512;
  private static final int[] OUTPUTS = {1000, 264, 264};
  private static final int INNER = 712;
  private static final int[] ROWS = {1, 8, 9, 16, 31, 33, 64, 65, 100, 128, 200, 256, 300};

  private GpuProducts() {}

  /// The largest difference in parts of the largest number, for each number of rows.
  ///
  /// @param upFirst whether the second matrix of a gated network reaches the device first
  static double worst(Supplier<? extends Backend> device, boolean upFirst) {
    double worst = 0;
    for (int rows : ROWS) {
      float[][] wanted = compute(new ReferenceBackend(), rows, upFirst);
      float[][] actual = compute(device.get(), rows, upFirst);
      double most = 0;
      for (int i = 0; i < wanted.length; i++) {
        most = Math.max(most, difference(wanted[i], actual[i]));
      }
      System.out.printf("     %d rows: differences of %.1e of the largest%n", rows, most);
      worst = Math.max(worst, most);
    }
    return worst;
  }

  private static double difference(float[] wanted, float[] actual) {
    double largest = 0;
    double apart = 0;
    for (int i = 0; i < wanted.length; i++) {
      largest = Math.max(largest, Math.abs(wanted[i]));
      double d = Math.abs(wanted[i] - actual[i]);
      apart = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(apart, d);
    }
    return apart / largest;
  }

  private static float[][] compute(Backend backend, int rows, boolean upFirst) {
    try (backend) {
      SplittableRandom random = new SplittableRandom(rows);
      Buffer in = backend.buffer(rows, COLUMNS);
      float[] x = normal(random, rows * COLUMNS);
      backend.write(x, in);
      float[][] results = new float[OUTPUTS.length + 1][];
      Buffer[] outs = new Buffer[OUTPUTS.length];
      for (int i = 0; i < OUTPUTS.length; i++) {
        outs[i] = backend.buffer(rows, OUTPUTS[i]);
        Linear linear = linear(backend, random, OUTPUTS[i], COLUMNS);
        backend.linear(linear, in, outs[i], rows);
      }
      for (int i = 0; i < OUTPUTS.length; i++) {
        results[i] = read(backend, outs[i], rows);
      }
      Linear one = linear(backend, random, INNER, COLUMNS);
      Linear other = linear(backend, random, INNER, COLUMNS);
      Linear down = linear(backend, random, 328, INNER);
      Buffer out = backend.buffer(rows, 328);
      FeedForward network =
          new FeedForward(upFirst ? other : one, upFirst ? one : other, down, Activation.SILU);
      backend.feedForward(network, in, out, rows);
      results[OUTPUTS.length] = read(backend, out, rows);
      return results;
    }
  }

  private static Linear linear(Backend backend, SplittableRandom random, int outputs, int columns) {
    float[] values = normal(random, outputs * columns);
    MemorySegment data =
        Arena.ofAuto().allocate(TensorType.BF16.bytes((long) outputs * columns), 64);
    TensorType.BF16.encoder().encode(values, 0, values.length, data, 0);
    Tensor tensor = new Tensor("w", TensorType.BF16, new long[] {outputs, columns}, data);
    return new Linear(backend.weight(tensor), null);
  }

  private static float[] normal(SplittableRandom random, int count) {
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
}
