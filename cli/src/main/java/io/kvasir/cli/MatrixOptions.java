package io.kvasir.cli;

import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cpu.KernelCode;
import io.kvasir.compute.onednn.OneDnnMatrices;
import io.kvasir.model.plan.Sizes;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options that say what multiplies matrices on the processor.
final class MatrixOptions {
  private static final String ONEDNN = "onednn-";

  @Option(
      names = "--matmul",
      paramLabel = "NAME[:DIR]",
      description =
          "machine, kernels in machine code on the weights where they lie, where the processor has "
              + "AVX-512 or AVX2 (default); machine-avx2, those of AVX2 also where there is AVX-512, "
              + "with the same bits; vector, kernels in Java only; "
              + "machine-bf16, machine code that rounds to 8 significant bits before it multiplies, "
              + "where the processor has AVX512_BF16: faster prompts, results a little different; "
              + "machine-amx, the same in the tile registers of AMX: prompts of dense models "
              + "several times as fast, one answer alone slower; or "
              + "onednn-bf16 or onednn-f32, a library that scripts/onednn.sh gets, with copies of "
              + "the weights: faster prompts, slower decoding.")
  private String matmul = "machine";

  @Option(
      names = "--matmul-memory",
      paramLabel = "SIZE",
      description = "Most memory for such copies. Default: half of what is free.")
  private @Nullable String memory;

  /// The processor with what was chosen.
  CpuBackend backend(int threads, Surroundings surroundings) {
    @Nullable KernelCode code = kernels();
    if (code != null) {
      if (memory != null) {
        throw new UsageException("--matmul-memory belongs to --matmul onednn-bf16 or onednn-f32");
      }
      @Nullable String missing = code.missing();
      if (missing != null) {
        throw new FailureException("cannot use --matmul " + matmul + ": " + missing);
      }
      return new CpuBackend(threads, null, code);
    }
    int colon = matmul.indexOf(':');
    String name = colon < 0 ? matmul : matmul.substring(0, colon);
    OneDnnMatrices.Opening opening =
        OneDnnMatrices.open(folder(colon, surroundings), format(name), threads, budget());
    return switch (opening) {
      case OneDnnMatrices.Opened opened -> new CpuBackend(threads, opened.provider());
      case OneDnnMatrices.Unavailable unavailable ->
          throw new FailureException("cannot use --matmul " + name + ": " + unavailable.reason());
    };
  }

  /// The kernels of our own that were named, or null.
  private @Nullable KernelCode kernels() {
    for (KernelCode code : KernelCode.values()) {
      if (matmul.equals(code.name().toLowerCase(Locale.ROOT).replace('_', '-'))) {
        return code;
      }
    }
    return null;
  }

  private static OneDnnMatrices.Format format(String name) {
    for (OneDnnMatrices.Format format : OneDnnMatrices.Format.values()) {
      if (name.equals(ONEDNN + format.name().toLowerCase(Locale.ROOT))) {
        return format;
      }
    }
    throw new UsageException(
        "there is no --matmul '"
            + name
            + "'; choose machine, machine-avx2, vector, machine-bf16, machine-amx, "
            + "onednn-bf16 or onednn-f32");
  }

  private Path folder(int colon, Surroundings surroundings) {
    if (colon >= 0) {
      try {
        return Path.of(matmul.substring(colon + 1));
      } catch (InvalidPathException e) {
        throw new UsageException("--matmul: '" + matmul.substring(colon + 1) + "' is no folder");
      }
    }
    Path caches = surroundings.cacheFolder();
    return caches == null ? Path.of("onednn") : caches.resolve("onednn");
  }

  private long budget() {
    if (memory == null) {
      return AvailableMemory.bytes() / 2;
    }
    try {
      return Sizes.parseBytes(memory);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--matmul-memory: " + e.getMessage());
    }
  }
}
