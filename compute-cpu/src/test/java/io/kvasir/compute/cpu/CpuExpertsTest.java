package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.kvasir.compute.Activation;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Routing;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Mixtures of many rows, whose experts take rows by the group: what the reference gives, and the
/// same bits in any company.
class CpuExpertsTest {
  private static final int EXPERTS = 12;
  private static final int ROWS = 100;
  private static final int[] COUNTS = {2, 7, 30, ROWS};
  private static final int MAX_ROUNDS = 200;
  private static final int STEPS = 50;

  private final SplittableRandom random = new SplittableRandom(Seeds.seed(61));
  private final List<CpuBackend> backends = new ArrayList<>();

  /// How rows are routed, and what there is beside the routed experts.
  enum Kind {
    SOFTMAX,
    SIGMOID_AND_GROUPS,
    SHARED,
    GATED_SHARED,
    WEIGHED_INPUT
  }

  @BeforeEach
  void open() {
    backends.add(new CpuBackend(1));
    backends.add(new CpuBackend(2));
    backends.add(new CpuBackend(3));
  }

  @AfterEach
  void close() {
    backends.forEach(CpuBackend::close);
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void mixture_anyType_equalsReference(TensorType type) {
    int width = Math.max(64, type.blockElements());
    for (Kind kind : kinds(type)) {
      MixtureOfExperts moe = mixture(kind, type, width);
      HostBuffer in = normal(ROWS, width, 1);
      HostBuffer expected = HostBuffer.allocate(ROWS, width);
      new ReferenceBackend().mixtureOfExperts(moe, in, in, expected, ROWS);
      HostBuffer actual = mixed(backends.get(1), moe, in, ROWS);
      for (int r = 0; r < ROWS; r++) {
        double size = 0;
        for (int i = r * width; i < (r + 1) * width; i++) {
          size = Math.max(size, Math.abs(expected.values()[i]));
        }
        for (int i = r * width; i < (r + 1) * width; i++) {
          String what = type + " " + kind + ", row " + r;
          Seeds.close(what, i, actual.values()[i], expected.values()[i], 2e-4 * size + 1e-20);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(TensorType.class)
  void mixture_anyCompanyAndThreads_sameBitsAsAlone(TensorType type) {
    backends.add(new CpuBackend(2, null, KernelCode.VECTOR));
    sameBitsAsAlone(type, backends);
  }

  @ParameterizedTest
  @EnumSource(
      value = KernelCode.class,
      names = {"MACHINE_BF16", "MACHINE_AMX"})
  void mixture_roundedOperands_sameBitsAsAlone(KernelCode code) {
    if (code.missing() != null) {
      return;
    }
    List<CpuBackend> rounding =
        List.of(
            new CpuBackend(1, null, code),
            new CpuBackend(2, null, code),
            new CpuBackend(3, null, code));
    backends.addAll(rounding);
    for (TensorType type :
        List.of(TensorType.Q8_0, TensorType.Q4_0, TensorType.MXFP4, TensorType.F32)) {
      sameBitsAsAlone(type, rounding);
    }
  }

  private void sameBitsAsAlone(TensorType type, List<CpuBackend> of) {
    int width = Math.max(64, type.blockElements());
    for (Kind kind : kinds(type)) {
      MixtureOfExperts moe = mixture(kind, type, width);
      HostBuffer in = normal(ROWS, width, 1);
      float[] alone = new float[ROWS * width];
      HostBuffer one = HostBuffer.allocate(1, width);
      for (int r = 0; r < ROWS; r++) {
        System.arraycopy(in.values(), r * width, one.values(), 0, width);
        HostBuffer result = mixed(of.getFirst(), moe, one, 1);
        System.arraycopy(result.values(), 0, alone, r * width, width);
      }
      for (CpuBackend backend : of) {
        for (int rows : COUNTS) {
          HostBuffer out = mixed(backend, moe, in, rows);
          String what = "%s %s, %s, %d rows".formatted(type, kind, backend.description(), rows);
          for (int i = 0; i < rows * width; i++) {
            Seeds.same(what, i, out.values()[i], alone[i]);
          }
        }
      }
    }
  }

  /// Rows and experts are taken a few at a time where memory is short.
  @ParameterizedTest
  @EnumSource(Kind.class)
  void mixture_littleMemory_sameBits(Kind kind) {
    int width = 64;
    MixtureOfExperts moe = mixture(kind, TensorType.Q8_0, width);
    HostBuffer in = normal(ROWS, width, 1);
    HostBuffer expected = mixed(backends.getFirst(), moe, in, ROWS);
    try (KernelPool pool = new KernelPool(2)) {
      Workspace[] spaces = {new Workspace(), new Workspace()};
      Products products = new Products(pool, spaces, KernelCode.MACHINE);
      Networks networks = new Networks(products, new Elementwise(pool, spaces));
      for (int elements : new int[] {1, 3000, 20_000}) {
        CpuExperts experts = new CpuExperts(pool, products, networks, elements, 2 * elements);
        MoeScratch scratch = new MoeScratch(moe, 2);
        HostBuffer out = HostBuffer.allocate(ROWS, width);
        networks.linear(moe.router(), in, scratch.logits(ROWS), ROWS, true);
        if (moe.sharedGate() != null) {
          networks.linear(moe.sharedGate(), in, scratch.gates(ROWS), ROWS, false);
        }
        experts.mix(moe, scratch, in, out, ROWS);
        assertThat(out.values()).as("%d elements", elements).isEqualTo(expected.values());
      }
    }
  }

  /// Rows that all choose the same expert, and one that is alone with its own.
  @Test
  void mixture_oneExpertForAll_sameBitsAsAlone() {
    int width = 64;
    MixtureOfExperts moe = mixture(Kind.SOFTMAX, TensorType.Q4_0, width);
    HostBuffer in = normal(ROWS, width, 1);
    for (int r = 1; r < ROWS - 1; r++) {
      System.arraycopy(in.values(), 0, in.values(), r * width, width);
    }
    HostBuffer out = mixed(backends.get(2), moe, in, ROWS);
    HostBuffer one = HostBuffer.allocate(1, width);
    for (int r = 0; r < ROWS; r++) {
      System.arraycopy(in.values(), r * width, one.values(), 0, width);
      HostBuffer alone = mixed(backends.getFirst(), moe, one, 1);
      for (int i = 0; i < width; i++) {
        Seeds.same("row " + r, i, out.values()[r * width + i], alone.values()[i]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16, 60})
  void mixture_steadyState_allocatesNothing(int rows) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (Kind kind : List.of(Kind.GATED_SHARED, Kind.SIGMOID_AND_GROUPS, Kind.WEIGHED_INPUT)) {
      MixtureOfExperts moe = mixture(kind, TensorType.Q8_0, 64);
      HostBuffer in = normal(rows, 64, 1);
      HostBuffer out = HostBuffer.allocate(rows, 64);
      // Interpreted vector code allocates: the steady state begins when the compiler is done.
      long least = Long.MAX_VALUE;
      for (int round = 0; round < MAX_ROUNDS && least > 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
          backends.get(1).mixtureOfExperts(moe, in, in, out, rows);
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).as("bytes in %d steps, %s", STEPS, kind).isZero();
    }
  }

  private static HostBuffer mixed(
      CpuBackend backend, MixtureOfExperts moe, HostBuffer in, int rows) {
    HostBuffer out = HostBuffer.allocate(rows, in.columns());
    backend.mixtureOfExperts(moe, in, in, out, rows);
    return out;
  }

  private MixtureOfExperts mixture(Kind kind, TensorType type, int width) {
    int inner = type.isQuantized() ? 2 * type.blockElements() : 75;
    List<FeedForward> experts = new ArrayList<>();
    for (int e = 0; e < EXPERTS; e++) {
      experts.add(network(type, width, inner, e));
    }
    boolean isShared = kind == Kind.SHARED || kind == Kind.GATED_SHARED;
    Linear router = new Linear(floats(EXPERTS, width, 2 / Math.sqrt(width)), normal(1, EXPERTS, 1));
    return new MixtureOfExperts(
        router,
        routing(kind),
        experts,
        isShared ? network(TensorType.Q8_0, width, 96, 1) : null,
        kind == Kind.GATED_SHARED
            ? new Linear(floats(1, width, 1 / Math.sqrt(width)), null)
            : null);
  }

  /// All for the common formats, two for each of the others.
  private static List<Kind> kinds(TensorType type) {
    List<Kind> all = List.of(Kind.values());
    int first = Math.floorMod(type.ggmlId(), all.size());
    return switch (type) {
      case Q8_0, Q4_0, MXFP4, F32 -> all;
      default -> List.of(all.get(first), all.get((first + 1) % all.size()));
    };
  }

  private Routing routing(Kind kind) {
    return switch (kind) {
      case SIGMOID_AND_GROUPS ->
          new Routing(
              3, true, normal(1, EXPERTS, 0.1f), normal(1, EXPERTS, 1), 4, 2, 2, true, 2.5f);
      case WEIGHED_INPUT -> new Routing(2, true, null, null, 1, 1, 1, false, 1, 0, true);
      default -> new Routing(4, false, null, null, 1, 1, 1, true, 1);
    };
  }

  /// Some with biases, some without a gate.
  private FeedForward network(TensorType type, int width, int inner, int number) {
    Linear gate = number % 5 == 4 ? null : linear(type, inner, width, number % 2 == 1);
    return new FeedForward(
        gate,
        linear(type, inner, width, number % 2 == 1),
        linear(type, width, inner, number % 3 == 1),
        number % 2 == 0 ? Activation.SILU : Activation.GELU_TANH);
  }

  private Linear linear(TensorType type, int outputs, int columns, boolean hasBias) {
    HostWeight weight = HostWeight.of(RandomWeights.of(type, outputs, columns, random));
    return new Linear(weight, hasBias ? normal(1, outputs, 1) : null);
  }

  private HostWeight floats(int rows, int columns, double spread) {
    float[] values = Seeds.normal(random, rows * columns, spread);
    MemorySegment memory = Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, values);
    return HostWeight.of(new Tensor("w", TensorType.F32, new long[] {rows, columns}, memory));
  }

  private HostBuffer normal(int rows, int columns, double spread) {
    return new HostBuffer(Seeds.normal(random, rows * columns, spread), rows, columns);
  }
}
