package io.kvasir.cli;

import io.kvasir.compute.Backend;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.compute.cuda.CudaDriver;
import io.kvasir.engine.EngineConfig;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Options of every command that runs a model.
final class EngineOptions {
  @Option(
      names = "--threads",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Threads that compute. Default: all processors.")
  private @Nullable Integer threads;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description =
          "cpu, cuda[:N] for NVIDIA GPU N, counted from 0, or auto: the first GPU where it can be "
              + "used, else the processor. Default: cpu.")
  private String device = "cpu";

  @Option(
      names = "--kv-format",
      paramLabel = "FORMAT",
      description = {
        "How keys and values are stored: f32, f16 (default), bf16, int8, int4, k8v4 (keys int8, "
            + "values int4), k4v2, int5, int6, fp8, lm2 to lm4, kvarn2 to kvarn4, kivi2, kivi4, "
            + "q8_0, q5_1, q5_0, q4_0; KEYS/VALUES; with +sNtM the first N and last M positions "
            + "exact; some layers otherwise: int4[0,-1=int8;1=k8v4]; auto or auto:BITS: chosen by "
            + "layer, measured once per model."
      })
  private @Nullable String kvFormat;

  @Option(
      names = "--block-tokens",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Positions in a cache block: 16 to 128, a multiple of 16. Default: 64.")
  private int blockTokens = 64;

  @Option(
      names = "--context",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Most positions of a sequence. Default: the model's own.")
  private int context;

  @Option(
      names = "--no-kv-cache",
      description =
          "Keep nothing between steps and recompute all, to measure what the cache gains.")
  private boolean noKvCache;

  @Mixin private MatrixOptions matrices = new MatrixOptions();
  @Mixin private CacheOptions cache = new CacheOptions();

  /// The chosen backend, to be closed by the caller.
  Backend openBackend(Surroundings surroundings) {
    if (device.equals("cpu")) {
      return matrices.backend(threads(), surroundings);
    }
    if (device.equals("reference")) {
      return new ReferenceBackend();
    }
    if (device.equals("auto")) {
      return openGpu(0) instanceof CudaBackend.Ready ready
          ? ready.backend()
          : matrices.backend(threads(), surroundings);
    }
    if (!device.matches("cuda(:\\d{1,4})?")) {
      throw new UsageException(
          "there is no device '" + device + "'; choose cpu, cuda or cuda:N for a GPU, or auto");
    }
    int ordinal = device.equals("cuda") ? 0 : Integer.parseInt(device.substring(5));
    return switch (openGpu(ordinal)) {
      case CudaBackend.Ready ready -> ready.backend();
      case CudaBackend.Unavailable unavailable ->
          throw new FailureException(
              "cannot use --device " + device + ": " + unavailable.reason() + "; use --device cpu");
    };
  }

  private static CudaBackend.Opening openGpu(int ordinal) {
    String library = System.getProperty("kvasir.cuda.library", CudaDriver.LIBRARY);
    return CudaBackend.open(library, ordinal, Boolean.getBoolean("kvasir.cuda.exact"));
  }

  int threads() {
    return threads == null ? Runtime.getRuntime().availableProcessors() : threads;
  }

  /// Puts what a probe of the model finds in the place of `auto`; to be called before formats are
  /// asked for, by commands that run a model.
  void resolveAuto(ModelLocation location, Surroundings surroundings) {
    if (kvFormat == null) {
      return;
    }
    List<String> names = new ArrayList<>();
    for (String name : KvRecipe.split(kvFormat)) {
      names.add(
          KvRecipe.isAuto(name)
              ? new AutoFormat(location, surroundings, this).resolve(name)
              : name);
    }
    kvFormat = String.join(",", names);
  }

  /// The format of keys and values.
  KvRecipe kvFormat(KvFormat fallback) {
    List<KvRecipe> formats = kvFormats(fallback);
    if (formats.size() > 1) {
      throw new UsageException("--kv-format takes one format here, not '" + kvFormat + "'");
    }
    return formats.getFirst();
  }

  /// Formats of keys and values to compare, written with commas between them.
  List<KvRecipe> kvFormats(KvFormat fallback) {
    if (kvFormat == null) {
      return List.of(KvRecipe.of(fallback));
    }
    try {
      List<KvRecipe> formats = new ArrayList<>();
      for (String name : KvRecipe.split(kvFormat)) {
        formats.add(KvRecipe.named(name));
      }
      return formats;
    } catch (IllegalArgumentException e) {
      throw new UsageException("--kv-format: " + e.getMessage());
    }
  }

  /// The engine's set-up.
  EngineConfig engineConfig() {
    return engineConfig(kvFormat(KvFormat.F16));
  }

  /// The engine's set-up with keys and values in `format`.
  EngineConfig engineConfig(KvRecipe format) {
    EngineConfig config =
        EngineConfig.DEFAULT
            .withContextTokens(context)
            .withBlockTokens(blockTokens())
            .withKvFormat(format);
    return cache.applied(noKvCache ? config.withoutCache() : config);
  }

  int blockTokens() {
    if (blockTokens < 16 || blockTokens > 128 || blockTokens % 16 != 0) {
      throw new UsageException(
          "--block-tokens must be a multiple of 16 from 16 to 128, not " + blockTokens);
    }
    return blockTokens;
  }

  /// Most positions, 0 for the model's own limit.
  int context() {
    return context;
  }

  boolean usesKvCache() {
    return !noKvCache;
  }
}
