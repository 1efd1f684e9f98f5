package io.kvasir.acceptance;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/// A mixture of experts with random weights: the tensor cores' products against the plain ones.
final class GpuExperts {
  private static final int WIDTH = 512;
  private static final int INNER = 768;
  private static final int EXPERTS = 16;
  private static final int[] ROWS = {1, 5, 20, 40, 64, 150, 400, 900};

  private GpuExperts() {}

  /// What differs.
  ///
  /// @param relative root of the mean square of differences over that of outputs
  record Difference(TensorType type, int rows, double relative) {
    /// Inputs are taken as two bf16 numbers where experts have few rows, else as one.
    boolean isSmall() {
      return relative < (rows <= 150 ? 1e-4 : 1e-2);
    }

    @Override
    public String toString() {
      return "experts of %s, %d rows: differ by %.1e".formatted(type, rows, relative);
    }
  }

  static List<Difference> compare(Supplier<Backend> plain, Supplier<CudaBackend> fast) {
    List<Difference> differences = new ArrayList<>();
    for (TensorType type :
        List.of(
            TensorType.BF16,
            TensorType.Q8_0,
            TensorType.Q4_0,
            TensorType.Q4_K,
            TensorType.Q6_K,
            TensorType.MXFP4)) {
      for (int rows : ROWS) {
        float[] expected = mix(plain.get(), type, rows);
        float[] actual = mix(fast.get(), type, rows);
        double away = 0;
        double all = 0;
        for (int i = 0; i < expected.length; i++) {
          away += (actual[i] - expected[i]) * (double) (actual[i] - expected[i]);
          all += expected[i] * (double) expected[i];
        }
        differences.add(new Difference(type, rows, Math.sqrt(away / all)));
      }
    }
    return differences;
  }

  private static float[] mix(Backend opened, TensorType type, int rows) {
    // Weights are known by their address, so their memory stays until all are there.
    try (Arena arena = Arena.ofShared();
        Backend backend = opened) {
      SplittableRandom random = new SplittableRandom(type.ggmlId());
      List<FeedForward> experts = new ArrayList<>();
      for (int e = 0; e < EXPERTS; e++) {
        experts.add(
            new FeedForward(
                linear(backend, arena, type, INNER, WIDTH, random),
                linear(backend, arena, type, INNER, WIDTH, random),
                linear(backend, arena, type, WIDTH, INNER, random),
                Activation.SILU));
      }
      MixtureOfExperts moe =
          new MixtureOfExperts(
              linear(backend, arena, TensorType.F32, EXPERTS, WIDTH, random),
              new Routing(4, false, null, null, 1, 1, 1, true, 1),
              experts,
              null,
              null);
      Buffer in = backend.buffer(rows, WIDTH);
      Buffer out = backend.buffer(rows, WIDTH);
      backend.write(normal(random, rows * WIDTH, 1), in);
      backend.mixtureOfExperts(moe, in, in, out, rows);
      float[] result = new float[rows * WIDTH];
      for (int r = 0; r < rows; r++) {
        backend.read(out, r, result, r * WIDTH);
      }
      return result;
    }
  }

  private static Linear linear(
      Backend backend,
      Arena arena,
      TensorType type,
      int outputs,
      int columns,
      SplittableRandom random) {
    float[] values = normal(random, outputs * columns, (float) (1 / Math.sqrt(columns)));
    MemorySegment data = arena.allocate(type.bytes((long) outputs * columns), 64);
    if (type == TensorType.F32) {
      MemorySegment.copy(values, 0, data, ValueLayout.JAVA_FLOAT, 0, values.length);
    } else if (type.findEncoder() != null) {
      type.encoder().encode(values, 0, values.length, data, 0);
    } else {
      fill(type, data, random);
    }
    Tensor tensor = new Tensor("w", type, new long[] {outputs, columns}, data);
    return new Linear(backend.weight(tensor), null);
  }

  /// Random codes of Q4_K or Q6_K, which Kvasir does not write, with small factors.
  private static void fill(TensorType type, MemorySegment data, SplittableRandom random) {
    byte[] codes = new byte[(int) data.byteSize()];
    random.nextBytes(codes);
    MemorySegment.copy(codes, 0, data, ValueLayout.JAVA_BYTE, 0, codes.length);
    int size = type.blockBytes();
    for (int at = 0; at < codes.length; at += size) {
      long factor = type == TensorType.Q6_K ? at + size - 2L : at;
      data.set(ValueLayout.JAVA_SHORT_UNALIGNED, factor, Float.floatToFloat16(7e-5f));
      if (type == TensorType.Q4_K) {
        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + 2L, Float.floatToFloat16(5e-4f));
      }
    }
  }

  private static float[] normal(SplittableRandom random, int count, float spread) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian() * spread;
    }
    return values;
  }
}
