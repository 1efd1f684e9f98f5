package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.compute.Backend;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.file.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The first law, on the CPU backend: how the cache is cut, filled or left out changes no bit of
/// any logit.
final class CacheInvisibleTest {
  private static final int[] CHUNKS = {1, 7, 16, 48};
  private static final int[] BLOCK_TOKENS = {16, 32, 64, 128};

  @TestFactory
  Stream<DynamicTest> logits_anyChunkBlockAndThreads_areBitIdentical() {
    return ReferenceData.cases((folder, name) -> check(folder));
  }

  /// Fewer cuts, for the arithmetic that is no twin of another.
  @TestFactory
  Stream<DynamicTest> logits_inBf16_areBitIdentical() {
    String missing = KernelCode.MACHINE_BF16.missing();
    Assumptions.assumeTrue(missing == null, () -> "[no-avx512-bf16] " + missing);
    return ReferenceData.cases((folder, name) -> checkRounded(folder, KernelCode.MACHINE_BF16));
  }

  @TestFactory
  Stream<DynamicTest> logits_inTileRegisters_areBitIdentical() {
    String missing = KernelCode.MACHINE_AMX.missing();
    Assumptions.assumeTrue(missing == null, () -> "[no-amx] " + missing);
    return ReferenceData.cases((folder, name) -> checkRounded(folder, KernelCode.MACHINE_AMX));
  }

  private static void checkRounded(Path folder, KernelCode code) {
    int[] ids = ids(folder);
    float[][] expected = logits(folder, ids, KvFormat.F16, new Setup(code, 48, 64, 2));
    for (int chunk : CHUNKS) {
      Setup setup = new Setup(code, chunk, 16, chunk == 7 ? 1 : 2);
      compare(expected, logits(folder, ids, KvFormat.F16, setup), "chunk " + chunk);
    }
    compare(expected, withoutCache(folder, ids, KvFormat.F16, code), "no cache");
    compareShared(folder, ids, KvFormat.F16, expected, code);
  }

  private static void check(Path folder) {
    int[] ids = ids(folder);
    for (KvFormat format : new KvFormat[] {KvFormat.F32, KvFormat.F16}) {
      float[][] expected = logits(folder, ids, format, new Setup(KernelCode.MACHINE, 48, 64, 2));
      for (int chunk : CHUNKS) {
        compare(
            expected,
            logits(folder, ids, format, new Setup(KernelCode.MACHINE, chunk, 64, 2)),
            "chunk " + chunk);
      }
      for (int block : BLOCK_TOKENS) {
        compare(
            expected,
            logits(folder, ids, format, new Setup(KernelCode.MACHINE, 16, block, 1)),
            "block " + block);
      }
      compare(expected, withoutCache(folder, ids, format, KernelCode.MACHINE), "no cache");
      compareShared(folder, ids, format, expected, KernelCode.MACHINE);
    }
  }

  private record Setup(KernelCode code, int chunk, int blockTokens, int threads) {}

  private static float[][] logits(Path folder, int[] ids, KvFormat format, Setup setup) {
    try (Backend backend = new CpuBackend(setup.threads(), null, setup.code());
        Model model = open(folder, backend);
        Forward forward = new Forward(model, backend, setup.blockTokens(), format, ids.length)) {
      forward.run(ids, setup.chunk());
      return forward.logits;
    }
  }

  /// Each position from an empty cache.
  private static float[][] withoutCache(Path folder, int[] ids, KvFormat format, KernelCode code) {
    float[][] logits = new float[ids.length][];
    try (Backend backend = new CpuBackend(2, null, code);
        Model model = open(folder, backend)) {
      for (int length = 1; length <= ids.length; length += 5) {
        try (Forward forward = new Forward(model, backend, 64, format, length)) {
          forward.run(Arrays.copyOf(ids, length), length);
          logits[length - 1] = forward.logits[length - 1];
        }
      }
    }
    return logits;
  }

  /// The same prompt from what an earlier sequence left, and one that leaves it inside a block.
  private static void compareShared(
      Path folder, int[] ids, KvFormat format, float[][] expected, KernelCode code) {
    int[] branch = ids.clone();
    branch[37] = (branch[37] + 1) % 90;
    float[][] branched = logits(folder, branch, format, new Setup(code, 48, 64, 2));
    try (Backend backend = new CpuBackend(2, null, code);
        Model model = open(folder, backend);
        Forward forward = new Forward(model, backend, 16, format, ids.length)) {
      assertThat(forward.share(ids)).isZero();
      forward.run(ids, 16);
      int found = forward.share(branch);
      assertThat(found).isEqualTo(37);
      Arrays.fill(forward.logits, null);
      forward.run(branch, 16);
      compare(branched, forward.logits, "branch");
      found = forward.share(ids);
      // The last block was filled, so all but the last token is found.
      assertThat(found).isEqualTo(ids.length - 1);
      Arrays.fill(forward.logits, null);
      forward.run(ids, 16);
      compare(expected, forward.logits, "shared");
    }
  }

  private static Model open(Path folder, Backend backend) {
    return Model.open(folder, backend, new Transformer.Rows(64, 1), 0);
  }

  private static void compare(float[][] expected, float[][] actual, String what) {
    for (int position = 0; position < expected.length; position++) {
      if (actual[position] != null) {
        assertThat(actual[position])
            .as("%s, position %d", what, position)
            .containsExactly(expected[position]);
      }
    }
  }

  private static int[] ids(Path folder) {
    try (SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"))) {
      return GoldenLogitsTest.ints(golden.get("input_ids"));
    }
  }
}
