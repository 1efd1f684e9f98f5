package io.kvasir.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Activation;
import io.kvasir.compute.Backend;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Ops;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Rope;
import io.kvasir.compute.RopeTable;
import io.kvasir.compute.quant.TensorType;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CpuOpsTest {
  private static final int[] WIDTHS = {1, 4, 6, 8, 13, 31, 32, 33, 65, 100, 257, 1000, 4098};
  private final SplittableRandom random = new SplittableRandom(Seeds.seed(31));
  private final ReferenceBackend reference = new ReferenceBackend();
  private final CpuBackend cpu = new CpuBackend(2);

  @AfterEach
  void close() {
    cpu.close();
  }

  @Test
  void normalize_bothKinds_equalsReferenceAndIsIndependentOfBatch() {
    for (int width : WIDTHS) {
      for (Norm.Kind kind : Norm.Kind.values()) {
        int columns = 3 * width;
        HostBuffer weight = random(1, kind == Norm.Kind.RMS ? width : columns);
        Norm norm = new Norm(kind, weight, random(1, width), 1e-6f, width);
        HostBuffer in = random(19, columns);
        HostBuffer out = HostBuffer.allocate(19, columns);
        compare("normalize " + norm, (b, result) -> b.normalize(norm, in, result, 19), out, 1e-5);
        Norm bare = new Norm(kind, null, null, 1e-6f, width);
        compare("normalize " + bare, (b, result) -> b.normalize(bare, in, result, 19), out, 1e-5);
      }
    }
  }

  @Test
  void rope_bothOrders_sameBitsAsReference() {
    for (boolean interleaved : new boolean[] {false, true}) {
      for (int pairs : new int[] {1, 3, 16, 20, 32, 64}) {
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
          frequencies[i] = (float) Math.pow(10000, -i / (double) pairs);
        }
        Rope rope = new Rope(new RopeTable(frequencies, 1.1f), interleaved, 3, 2 * pairs + 5, 2);
        HostBuffer in = random(40, 3 * (2 * pairs + 5));
        int[] positions = new int[40];
        for (int i = 0; i < 40; i++) {
          positions[i] = 37 * i;
        }
        compareInPlace("rope", (b, x) -> b.rope(rope, positions, x, 40), in, 0);
      }
    }
  }

  @Test
  void activate_everyKind_equalsReference() {
    for (Activation activation : Activation.values()) {
      for (int width : WIDTHS) {
        HostBuffer gate = random(5, width);
        HostBuffer up = random(5, width);
        gate.values()[0] = 90;
        gate.values()[width] = -90;
        HostBuffer out = HostBuffer.allocate(5, width);
        compare(activation.name(), (b, r) -> b.activate(activation, gate, up, r, 5), out, 2e-6);
        compare(activation.name(), (b, r) -> b.activate(activation, gate, null, r, 5), out, 2e-6);
        compareInPlace(
            activation.name(), (b, x) -> b.activate(activation, x, up, x, 5), gate, 2e-6);
        compareInPlace(
            activation.name(), (b, x) -> b.activate(activation, gate, x, x, 5), up, 2e-6);
      }
    }
  }

  @Test
  void simpleOps_manyRows_equalReference() {
    HostBuffer x = random(70, 1000);
    HostBuffer y = random(70, 1000);
    float[] factors = Seeds.normal(random, 70, 1);
    compareInPlace("scale", (b, v) -> b.scale(v, 70, 1.7f), x, 0);
    compareInPlace("scaleRows", (b, v) -> b.scaleRows(v, 70, factors), x, 0);
    compareInPlace("add", (b, v) -> b.add(v, y, 70, -0.3f), x, 0);
    compareInPlace("clamp", (b, v) -> b.clamp(v, 70, 0.5f), x, 0);
    compareInPlace("softcap", (b, v) -> b.softcap(v, 70, 2.5f), x, 1e-6);
    HostBuffer out = HostBuffer.allocate(70, 1000);
    compare("gather", (b, r) -> b.gatherRows(x, new int[] {5, 2, 69, 5}, 4, r), out, 0);
    Ops.Columns columns = new Ops.Columns(3, 500, 77);
    compare("copyColumns", (b, r) -> b.copyColumns(columns, x, r, 70), out, 0);
    Ops.Columns heads = new Ops.Columns(3, 40, 7, 60, 33, 5);
    compare("copyColumns", (b, r) -> b.copyColumns(heads, x, r, 70), out, 0);
    HostWeight table = HostWeight.of(RandomWeights.of(TensorType.Q4_K, 50, 1024, random));
    HostBuffer rows = random(4, 1024);
    int[] ids = {49, 0, 7, 7};
    compareInPlace("embed", (b, r) -> b.embed(table, ids, 4, r), rows, 0);
    compareInPlace("addEmbedding", (b, r) -> b.addEmbedding(table, ids, 4, r), rows, 0);
  }

  @Test
  void exp_scalarAndVector_sameBits() {
    float[] values = Seeds.normal(random, 1000, 40);
    values[0] = Float.NEGATIVE_INFINITY;
    values[1] = Float.NaN;
    values[2] = 0;
    values[3] = Float.POSITIVE_INFINITY;
    float[] results = values.clone();
    VectorMath.exp(results, 0, 1000);
    for (int i = 0; i < values.length; i++) {
      Seeds.same("exp", i, results[i], VectorMath.exp(values[i]));
      if (values[i] > -87 && values[i] < 88) {
        double expected = Math.exp(values[i]);
        Seeds.close("exp", i, results[i], expected, 3e-7 * expected);
      }
    }
    assertThat(results[0]).isZero();
    assertThat(results[1]).isNaN();
    assertThat(results[2]).isEqualTo(1f);
  }

  private void compareInPlace(
      String what, BiConsumer<Backend, HostBuffer> operation, HostBuffer start, double tolerance) {
    HostBuffer expected = copy(start);
    HostBuffer actual = copy(start);
    operation.accept(reference, expected);
    operation.accept(cpu, actual);
    assertClose(what, expected, actual, tolerance);
  }

  private void compare(
      String what, BiConsumer<Backend, HostBuffer> operation, HostBuffer shape, double tolerance) {
    HostBuffer expected = HostBuffer.allocate(shape.rows(), shape.columns());
    HostBuffer actual = HostBuffer.allocate(shape.rows(), shape.columns());
    operation.accept(reference, expected);
    operation.accept(cpu, actual);
    assertClose(what, expected, actual, tolerance);
  }

  private static void assertClose(
      String what, HostBuffer expected, HostBuffer actual, double tolerance) {
    for (int i = 0; i < expected.values().length; i++) {
      float e = expected.values()[i];
      Seeds.close(what, i, actual.values()[i], e, tolerance * Math.max(1, Math.abs(e)));
    }
  }

  private static HostBuffer copy(HostBuffer buffer) {
    return new HostBuffer(buffer.values().clone(), buffer.rows(), buffer.columns());
  }

  private HostBuffer random(int rows, int columns) {
    return new HostBuffer(Seeds.normal(random, rows * columns, 1), rows, columns);
  }
}
