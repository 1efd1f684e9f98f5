package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Mixtures of experts against the reference, on the emulated driver: all ways to choose and weigh
/// experts, all formats of their weights, rows alone and in company.
final class CudaExpertsTest {
  private static final int ROWS = 37;

  /// Of formats, whose products take long to emulate.
  private static final int FEW = 10;

  /// A mixture's shape.
  ///
  /// @param shared whether there is a network of all rows, with a gate
  private record Shape(
      int experts,
      int columns,
      int inner,
      Activation activation,
      boolean gated,
      boolean biased,
      boolean shared,
      int rows,
      List<TensorType> types) {}

  private static final Shape PLAIN =
      new Shape(8, 64, 32, Activation.SILU, true, false, false, ROWS, List.of(TensorType.F32));

  @TestFactory
  Stream<DynamicTest> mixture_everyRouting_matchesTheReference() {
    Map<String, Routing> routings = new TreeMap<>();
    routings.put("softmax", new Routing(2, false, null, null, 1, 1, 1, false, 1));
    routings.put("softmax, normalized", new Routing(4, false, null, null, 1, 1, 1, true, 2.5f));
    routings.put("sigmoid", new Routing(3, true, null, null, 1, 1, 1, true, 1));
    routings.put("groups of one best", new Routing(3, false, null, null, 4, 2, 1, false, 16));
    routings.put("groups of two best", new Routing(2, true, null, null, 4, 2, 2, true, 2));
    routings.put("mixer", new Routing(2, false, null, null, 1, 1, 1, false, 1, 0.2f, false));
    routings.put("weighs inputs", new Routing(1, true, null, null, 1, 1, 1, false, 1, 0, true));
    routings.put("all of them", new Routing(8, false, null, null, 1, 1, 1, true, 1));
    return routings.entrySet().stream()
        .flatMap(routing ->
            Stream.of(false, true)
                .map(biased ->
                    DynamicTest.dynamicTest(
                        routing.getKey() + (biased ? ", biased and scaled" : ""),
                        () -> check(PLAIN, routing.getValue(), biased))));
  }

  @TestFactory
  Stream<DynamicTest> mixture_everyShape_matchesTheReference() {
    Routing routing = new Routing(3, false, null, null, 1, 1, 1, true, 1);
    List<TensorType> plain = List.of(TensorType.F32);
    return Stream.of(
            new Shape(8, 64, 32, Activation.RELU_SQUARED, false, false, false, ROWS, plain),
            new Shape(8, 64, 32, Activation.GELU_TANH, true, true, true, ROWS, plain),
            new Shape(40, 96, 64, Activation.CLAMPED_SWIGLU, true, true, false, ROWS, plain),
            new Shape(5, 33, 7, Activation.SILU, true, false, true, ROWS, plain),
            new Shape(
                6,
                64,
                32,
                Activation.SILU,
                true,
                false,
                false,
                ROWS,
                List.of(TensorType.BF16, TensorType.Q8_0, TensorType.F32)))
        .map(
            shape -> DynamicTest.dynamicTest(shape.toString(), () -> check(shape, routing, false)));
  }

  @TestFactory
  Stream<DynamicTest> mixture_everyFormat_matchesTheReference() {
    Routing routing = new Routing(2, false, null, null, 1, 1, 1, true, 1);
    Set<TensorType> types =
        EnumSet.of(
            TensorType.F16,
            TensorType.BF16,
            TensorType.Q8_0,
            TensorType.Q4_0,
            TensorType.Q4_1,
            TensorType.Q5_0,
            TensorType.Q5_1,
            TensorType.Q4_K,
            TensorType.Q5_K,
            TensorType.Q6_K,
            TensorType.IQ4_NL,
            TensorType.MXFP4);
    return types.stream()
        .map(type ->
            DynamicTest.dynamicTest(
                type.name(),
                () ->
                    check(
                        new Shape(
                            4, 256, 256, Activation.SILU, true, false, false, FEW, List.of(type)),
                        routing,
                        false)));
  }

  @TestFactory
  Stream<DynamicTest> mixture_launchesForTensorCores_matchTheReference() {
    return Stream.concat(
            Stream.of(1, 12, 17, 25, 70, 280).map(rows -> Map.entry(TensorType.BF16, rows)),
            Stream.of(
                Map.entry(TensorType.Q8_0, 12),
                Map.entry(TensorType.Q4_K, 12),
                Map.entry(TensorType.F16, 260)))
        .map(kind ->
            DynamicTest.dynamicTest(
                kind.getKey() + ", " + kind.getValue() + " rows",
                () -> checkFast(kind.getKey(), kind.getValue())));
  }

  /// With twins of the kernels for tensor cores: tiles of all sizes, and experts apart. More than
  /// 64 rows are rounded to bf16.
  private static void checkFast(TensorType type, int rows) {
    Routing routing = new Routing(2, false, null, null, 1, 1, 1, true, 1);
    Shape shape =
        new Shape(4, 256, 256, Activation.GELU_TANH, true, true, true, rows, List.of(type));
    float[] expected = mix(new ReferenceBackend(), shape, routing, false, 0, rows);
    float[] actual = mix(EmulatedDriver.open(false), shape, routing, false, 0, rows);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(rows <= 64 ? 1e-3f : 3e-2f));
    }
  }

  /// @param biased whether the routing gets random numbers to rank and to weigh by
  private static void check(Shape shape, Routing routing, boolean biased) {
    float[] expected = mix(new ReferenceBackend(), shape, routing, biased, 0, shape.rows());
    float[] actual = mix(EmulatedDriver.open(), shape, routing, biased, 0, shape.rows());
    int columns = shape.columns();
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(3e-5f + 1e-4f * Math.abs(expected[i])));
    }
    for (int row : new int[] {0, shape.rows() / 2, shape.rows() - 1}) {
      // Up to eight rows are listed in another way, and a single one is not copied.
      int count = Math.min(row == 0 ? 1 : 7, shape.rows() - row);
      assertThat(mix(EmulatedDriver.open(), shape, routing, biased, row, count))
          .as("bits of %d rows from %d on, in company and without", count, row)
          .isEqualTo(Arrays.copyOfRange(actual, row * columns, (row + count) * columns));
    }
  }

  /// The same model and rows each time, of which some are computed.
  private static float[] mix(
      Backend backend, Shape shape, Routing routing, boolean biased, int first, int rows) {
    try (backend) {
      SplittableRandom random = new SplittableRandom(shape.hashCode());
      int columns = shape.columns();
      MixtureOfExperts moe = mixture(backend, shape, routing, biased, random);
      float[] routerRows = normal(random, shape.rows() * columns, 1);
      float[] inputRows = normal(random, shape.rows() * columns, 1);
      Buffer routerIn = backend.buffer(rows, columns);
      Buffer in = backend.buffer(rows, columns);
      Buffer out = backend.buffer(rows, columns);
      int from = first * columns;
      int to = (first + rows) * columns;
      backend.write(Arrays.copyOfRange(routerRows, from, to), routerIn);
      backend.write(Arrays.copyOfRange(inputRows, from, to), in);
      backend.mixtureOfExperts(moe, routerIn, in, out, rows);
      float[] result = new float[rows * columns];
      for (int r = 0; r < rows; r++) {
        backend.read(out, r, result, r * columns);
      }
      return result;
    }
  }

  private static MixtureOfExperts mixture(
      Backend backend, Shape shape, Routing routing, boolean biased, SplittableRandom random) {
    List<FeedForward> experts = new ArrayList<>();
    for (int e = 0; e < shape.experts(); e++) {
      experts.add(network(backend, shape, e, random));
    }
    Linear router =
        linear(backend, TensorType.F32, shape.experts(), shape.columns(), shape.biased(), random);
    Routing used = routing;
    if (biased) {
      Buffer bias = vector(backend, normal(random, shape.experts(), 0.3f));
      Buffer scale = vector(backend, normal(random, shape.experts(), 1));
      used =
          new Routing(
              routing.expertsPerRow(),
              routing.sigmoid(),
              bias,
              scale,
              routing.groups(),
              routing.keptGroups(),
              routing.groupTop(),
              routing.normalize(),
              routing.scale(),
              routing.mixerRange(),
              routing.weighsInput());
    }
    FeedForward shared = shape.shared() ? network(backend, shape, 0, random) : null;
    Linear gate =
        shape.shared() ? linear(backend, TensorType.F32, 1, shape.columns(), false, random) : null;
    return new MixtureOfExperts(router, used, experts, shared, gate);
  }

  private static FeedForward network(
      Backend backend, Shape shape, int expert, SplittableRandom random) {
    TensorType type = shape.types().get(expert % shape.types().size());
    int inner = shape.inner();
    @Nullable Linear gate =
        shape.gated()
            ? linear(backend, type, inner, shape.columns(), shape.biased(), random)
            : null;
    Linear up = linear(backend, type, inner, shape.columns(), shape.biased(), random);
    Linear down = linear(backend, type, shape.columns(), inner, shape.biased(), random);
    return new FeedForward(gate, up, down, shape.activation());
  }

  private static Linear linear(
      Backend backend,
      TensorType type,
      int outputs,
      int columns,
      boolean biased,
      SplittableRandom random) {
    float[] values = normal(random, outputs * columns, (float) (1 / Math.sqrt(columns)));
    MemorySegment data = Arena.ofAuto().allocate(type.bytes((long) outputs * columns), 64);
    if (type == TensorType.F32) {
      MemorySegment.copy(values, 0, data, ValueLayout.JAVA_FLOAT, 0, values.length);
    } else if (type.findEncoder() != null) {
      type.encoder().encode(values, 0, values.length, data, 0);
    } else {
      fill(type, data, random);
    }
    Tensor tensor = new Tensor("w", type, new long[] {outputs, columns}, data);
    Buffer bias = biased ? vector(backend, normal(random, outputs, 0.5f)) : null;
    return new Linear(backend.weight(tensor), bias);
  }

  /// Random codes of a format that Kvasir does not write, with small factors.
  private static void fill(TensorType type, MemorySegment data, SplittableRandom random) {
    byte[] codes = new byte[(int) data.byteSize()];
    random.nextBytes(codes);
    MemorySegment.copy(codes, 0, data, ValueLayout.JAVA_BYTE, 0, codes.length);
    int size = type.blockBytes();
    for (int at = 0; at < codes.length; at += size) {
      if (type == TensorType.Q6_K) {
        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + size - 2L, Float.floatToFloat16(7e-5f));
      } else {
        float factor = type == TensorType.IQ4_NL ? 1e-3f : 7e-5f;
        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(factor));
      }
      if (type == TensorType.Q4_K || type == TensorType.Q5_K) {
        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + 2L, Float.floatToFloat16(5e-4f));
      }
    }
  }

  private static Buffer vector(Backend backend, float[] values) {
    Buffer buffer = backend.buffer(1, values.length);
    backend.write(values, buffer);
    return buffer;
  }

  private static float[] normal(SplittableRandom random, int count, float spread) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian() * spread;
    }
    return values;
  }
}
