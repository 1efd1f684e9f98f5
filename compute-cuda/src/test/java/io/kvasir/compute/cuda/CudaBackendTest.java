package io.kvasir.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Linear;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.kvcache.tier.KvStorage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// The backend against the reference, on the emulated driver.
final class CudaBackendTest {
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int TOKENS = 150;

  @Test
  void open_noDriver_saysSo() {
    assertThat(CudaBackend.open("libcuda-that-is-not-here.so.1", 0, true))
        .isEqualTo(
            new CudaBackend.Unavailable(
                "there is no NVIDIA driver on this machine (libcuda-that-is-not-here.so.1)"));
  }

  @Test
  void open_noSuchGpu_namesItAndHowManyThereAre() {
    assertThat(CudaBackend.open(EmulatedDriver.library(), 3, true))
        .isEqualTo(
            new CudaBackend.Unavailable(
                "there is no GPU 3: the NVIDIA driver finds 1, counted from 0"));
  }

  @Test
  void storage_largerThanTheDevice_saysHowMuchIsFree() {
    try (Backend backend = EmulatedDriver.open()) {
      assertThatThrownBy(() -> backend.storage(1 << 20, 100_000))
          .isInstanceOf(CudaException.class)
          .hasMessage(
              "GPU 0 (emulated) has too little memory: 104,858,648,576 bytes of cache blocks do not"
                  + " fit into the 2,147,483,648 that are free");
    }
  }

  @Test
  void storage_blockWrittenAndCopied_readsTheSameBytes() {
    try (Backend backend = EmulatedDriver.open();
        KvStorage storage = backend.storage(6 << 20, 3);
        Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(6 << 20);
      byte[] random = new byte[6 << 20];
      new SplittableRandom(1).nextBytes(random);
      MemorySegment.copy(random, 0, bytes, ValueLayout.JAVA_BYTE, 0, random.length);
      storage.write(0, bytes);
      storage.copy(0, 2);
      MemorySegment back = arena.allocate(6 << 20);
      storage.read(2, back);

      assertThat(back.mismatch(bytes)).isEqualTo(-1);
      assertThat(storage.view(0)).isNull();
    }
  }

  @TestFactory
  Stream<DynamicTest> linear_everyFormat_matchesTheReference() {
    return Stream.of(TensorType.values())
        .filter(type -> type.findEncoder() != null || type == TensorType.F32)
        .filter(type -> type != TensorType.F8_E8M0 && type != TensorType.BOOL)
        .map(type -> DynamicTest.dynamicTest(type.name(), () -> checkLinear(type)));
  }

  private static void checkLinear(TensorType type) {
    int columns = 512;
    int outputs = 9;
    int rows = 11;
    SplittableRandom random = new SplittableRandom(type.name().hashCode());
    float[] x = normal(random, rows * columns);
    Tensor tensor = tensor(type, outputs, columns, normal(random, outputs * columns));
    float[] expected = product(new ReferenceBackend(), tensor, x, rows);
    float[] actual = product(EmulatedDriver.open(), tensor, x, rows);
    float[] alone = product(EmulatedDriver.open(), tensor, x, 1);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(2e-3f));
    }
    for (int i = 0; i < outputs; i++) {
      assertThat(alone[i]).as("bits alone and in company").isEqualTo(actual[i]);
    }
  }

  private static Tensor tensor(TensorType type, int rows, int columns, float[] values) {
    MemorySegment data = Arena.ofAuto().allocate(type.bytes((long) rows * columns), 64);
    if (type == TensorType.F32) {
      MemorySegment.copy(values, 0, data, ValueLayout.JAVA_FLOAT, 0, values.length);
    } else {
      type.encoder().encode(values, 0, values.length, data, 0);
    }
    return new Tensor("w", type, new long[] {rows, columns}, data);
  }

  private static float[] product(Backend backend, Tensor tensor, float[] x, int rows) {
    try (backend) {
      int columns = (int) tensor.columns();
      Buffer in = backend.buffer(rows, columns);
      Buffer out = backend.buffer(rows, (int) tensor.rows());
      backend.write(Arrays.copyOf(x, rows * columns), in);
      backend.linear(new Linear(backend.weight(tensor), null), in, out, rows);
      float[] result = new float[rows * out.columns()];
      for (int r = 0; r < rows; r++) {
        backend.read(out, r, result, r * out.columns());
      }
      return result;
    }
  }

  /// What the cache holds afterwards, and what attention gave.
  @SuppressWarnings("ArrayRecordComponent") // a test's own result, never compared as a record
  private record Attended(byte[] blocks, float[] out) {}

  @TestFactory
  Stream<DynamicTest> attention_everyFormat_writesTheSameBytesAndReadsThem() {
    return KvFormat.ALL.stream()
        .map(format -> DynamicTest.dynamicTest(format.name(), () -> checkAttention(format)));
  }

  private static void checkAttention(KvFormat format) {
    int dim = 48;
    Attended expected = attend(new ReferenceBackend(), format, dim, 33);
    Attended actual = attend(EmulatedDriver.open(), format, dim, 33);
    Attended whole = attend(EmulatedDriver.open(), format, dim, TOKENS);

    assertThat(actual.blocks()).as("bytes of the cache").isEqualTo(expected.blocks());
    for (int i = 0; i < expected.out().length; i++) {
      assertThat(actual.out()[i]).isCloseTo(expected.out()[i], within(2e-4f));
    }
    assertThat(whole.out()).as("bits in one piece").isEqualTo(actual.out());
  }

  private static Attended attend(Backend backend, KvFormat format, int dim, int chunk) {
    boolean tiles =
        Math.max(format.tileTokens(PlaneKind.KEYS), format.tileTokens(PlaneKind.VALUES)) > 1;
    LayerKv kv =
        new LayerKv(
            KV_HEADS, dim, dim, 0, format, format, tiles ? new ExactRows(64, 0) : ExactRows.NONE);
    KvLayout layout = KvLayout.of(List.of(kv), 64);
    int blockCount = 3 * layout.groups().size() + 3;
    SplittableRandom random = new SplittableRandom(7);
    float[] q = normal(random, TOKENS * HEADS * dim);
    float[] k = normal(random, TOKENS * KV_HEADS * dim);
    float[] v = normal(random, TOKENS * KV_HEADS * dim);
    float[][][] means = {{normal(random, dim), normal(random, dim)}};
    float[] out = new float[TOKENS * HEADS * dim];
    try (backend;
        KvCache cache =
            new KvCache(
                new KvCacheConfig(layout, blockCount),
                backend.storage(layout.blockBytes(), blockCount))) {
      AttentionMetadata batch =
          new AttentionMetadata(layout, cache.storage(), new KvProfile("test", means));
      Buffer sinks = backend.buffer(1, HEADS);
      backend.write(normal(random, HEADS), sinks);
      AttentionSpec spec = new AttentionSpec(0, HEADS, KV_HEADS, dim, dim, 0.2f, 30, sinks, null);
      BlockTable table = cache.open();
      Buffer rowsOfQ = backend.buffer(chunk, HEADS * dim);
      Buffer rowsOfK = backend.buffer(chunk, KV_HEADS * dim);
      Buffer rowsOfV = backend.buffer(chunk, KV_HEADS * dim);
      Buffer rowsOut = backend.buffer(chunk, HEADS * dim);
      for (int from = 0; from < TOKENS; from += chunk) {
        int rows = Math.min(chunk, TOKENS - from);
        assertThat(cache.reserve(table, rows)).isInstanceOf(Reservation.Granted.class);
        batch.clear();
        batch.add(table, rows);
        backend.write(slice(q, from, rows, HEADS * dim), rowsOfQ);
        backend.write(slice(k, from, rows, KV_HEADS * dim), rowsOfK);
        backend.write(slice(v, from, rows, KV_HEADS * dim), rowsOfV);
        backend.attend(batch, spec, rowsOfQ, rowsOfK, rowsOfV, rowsOut);
        for (int r = 0; r < rows; r++) {
          backend.read(rowsOut, r, out, (from + r) * HEADS * dim);
        }
        cache.commit(table, rows);
      }
      return new Attended(blocks(cache, layout, table), out);
    }
  }

  /// The bytes of the table's blocks of codes, group by group.
  private static byte[] blocks(KvCache cache, KvLayout layout, BlockTable table) {
    int size = (int) layout.blockBytes();
    int count = 0;
    byte[] all = new byte[size * table.blockCount()];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = arena.allocate(size);
      for (int group = 0; group < layout.groups().size(); group++) {
        for (int i = table.firstBlock(group); i < table.endBlock(group); i++) {
          cache.storage().read(table.block(group, i), block);
          MemorySegment.copy(block, ValueLayout.JAVA_BYTE, 0, all, size * count++, size);
        }
      }
    }
    return all;
  }

  private static float[] slice(float[] values, int from, int rows, int width) {
    return Arrays.copyOfRange(values, from * width, (from + rows) * width);
  }

  private static float[] normal(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
