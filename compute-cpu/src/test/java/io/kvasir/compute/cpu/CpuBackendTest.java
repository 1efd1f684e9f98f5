package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import io.kvasir.compute.RopeTable;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuBackendTest {
  private static final int WIDTH = 256;
  private static final int MAX_ROUNDS = 200;
  private static final int STEPS = 100;

  private final SplittableRandom random = new SplittableRandom(Seeds.seed(47));

  @Test
  void backend_noThreads_isRefused() {
    assertThatThrownBy(() -> new CpuBackend(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0");
  }

  @Test
  void description_namesWidthAndThreads() {
    try (CpuBackend backend = new CpuBackend(3)) {
      assertThat(backend.description()).contains(Lanes.bits() + "-bit").contains("3 threads");
    }
  }

  @Test
  void cliff_reportedOnce() {
    PerformanceCliff.GENERIC_WEIGHTS.report("first");
    assertThat(PerformanceCliff.GENERIC_WEIGHTS.report("again")).isFalse();
  }

  /// One decoding layer, over and over at the same position.
  @ParameterizedTest
  @ValueSource(strings = {"f16", "int8", "int4"})
  void decodeStep_steadyState_allocatesNothing(String name) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    KvFormat format = KvFormat.named(name);
    LayerKv kv = new LayerKv(2, 64, 64, 0, format, format);
    KvLayout layout = KvLayout.of(List.of(kv), 16);
    try (CpuBackend backend = new CpuBackend(2);
        KvCache cache =
            new KvCache(new KvCacheConfig(layout, 64), backend.storage(layout.blockBytes(), 64))) {
      BlockTable table = cache.open();
      cache.reserve(table, 700);
      cache.commit(table, 699);
      AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
      Layer layer = new Layer(backend, batch, table);
      // Interpreted vector code allocates: the steady state begins when the compiler is done.
      long least = Long.MAX_VALUE;
      for (int round = 0; round < MAX_ROUNDS && least > 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
          layer.step();
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).as("bytes in %d steps", STEPS).isZero();
    }
  }

  /// As in a batch of sequences: the ways that few rows do not take.
  @ParameterizedTest
  @ValueSource(ints = {5, 16, 40})
  void linear_manyRowsInSteadyState_allocatesNothing(int rows) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Linear square = linear(WIDTH, WIDTH, TensorType.Q8_0);
    HostBuffer in = HostBuffer.allocate(rows, WIDTH);
    HostBuffer out = HostBuffer.allocate(rows, WIDTH);
    try (CpuBackend backend = new CpuBackend(2)) {
      long least = Long.MAX_VALUE;
      for (int round = 0; round < MAX_ROUNDS && least > 0; round++) {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
          backend.linear(square, in, out, rows);
        }
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).as("bytes in %d products", STEPS).isZero();
    }
  }

  private Linear linear(int outputs, int inputs, TensorType type) {
    return new Linear(HostWeight.of(RandomWeights.of(type, outputs, inputs, random)), null);
  }

  private final class Layer {
    private final CpuBackend backend;
    private final AttentionMetadata batch;
    private final BlockTable table;
    private final HostBuffer x = buffer(WIDTH);
    private final HostBuffer h = buffer(WIDTH);
    private final HostBuffer k = buffer(128);
    private final HostBuffer v = buffer(128);
    private final Linear square = linear(WIDTH, WIDTH, TensorType.Q8_0);
    private final Linear narrow = linear(128, WIDTH, TensorType.Q4_0);
    private final FeedForward ffn =
        new FeedForward(
            linear(512, WIDTH, TensorType.BF16),
            linear(512, WIDTH, TensorType.F32),
            linear(WIDTH, 512, TensorType.F16),
            Activation.SILU);
    private final Norm norm = new Norm(Norm.Kind.RMS, buffer(WIDTH), null, 1e-5f, WIDTH);
    private final Rope rope = new Rope(new RopeTable(new float[32], 1), false, 4, 64, 0);
    private final AttentionSpec spec = new AttentionSpec(0, 4, 2, 64, 64, 0.125f, 0, null);

    Layer(CpuBackend backend, AttentionMetadata batch, BlockTable table) {
      this.backend = backend;
      this.batch = batch;
      this.table = table;
    }

    void step() {
      batch.clear();
      batch.add(table, 1);
      backend.normalize(norm, x, h, 1);
      backend.linear(square, h, x, 1);
      backend.linear(narrow, h, k, 1);
      backend.linear(narrow, h, v, 1);
      backend.rope(rope, batch.positions(), x, 1);
      backend.attend(batch, spec, x, k, v, h);
      backend.feedForward(ffn, h, x, 1);
      backend.add(x, h, 1, 1);
      backend.normalize(norm, x, x, 1);
    }

    private HostBuffer buffer(int columns) {
      return new HostBuffer(Seeds.normal(random, columns, 1), 1, columns);
    }
  }
}
