package io.kvasir.cli;

import io.kvasir.compute.Backend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.KeyProfiles;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir bench`: tokens per second of prompts and of decoding.
@Command(
    name = "bench",
    description = {
      "Measure tokens per second: prompts (pp), decoding (tg), behind a filled cache",
      "(@ d), for several sequences at once. Wall-clock time of whole requests to the",
      "engine. GB/s are weights and cached rows that decoding reads, each once per",
      "step, and their share of a plain copy.",
      "A running server is measured by ./kvasir bench serve URL."
    })
final class BenchCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();

  @Mixin ModelArgument model = new ModelArgument();

  @Option(
      names = "-p",
      paramLabel = "N,N",
      split = ",",
      description = "Prompt lengths; 0 for none. Default: 512.")
  private List<Integer> prompts = List.of(512);

  @Option(
      names = "-n",
      paramLabel = "N,N",
      split = ",",
      description = "Tokens to decode; 0 for none. Default: 128.")
  private List<Integer> generates = List.of(128);

  @Option(
      names = "-d",
      paramLabel = "N,N",
      split = ",",
      description = "Tokens in the cache before, at most what the context allows. Default: 0.")
  private List<Integer> depths = List.of(0);

  @Option(
      names = "--batch",
      paramLabel = "N,N",
      split = ",",
      converter = PositiveInt.class,
      description = "Sequences at once. Default: 1.")
  private List<Integer> batches = List.of(1);

  @Option(names = "--shared", description = "All sequences have the same tokens before, held once.")
  private boolean shared;

  @Option(
      names = "-r",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Repetitions, after one that does not count. Default: ${DEFAULT-VALUE}.")
  private int repetitions = 3;

  @Option(names = "--json", description = "Print a JSON array.")
  private boolean json;

  BenchCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws InterruptedException {
    List<BenchCase> wished = cases();
    ModelLocation location = model.locate(surroundings);
    engine.resolveAuto(location, surroundings);
    List<KvRecipe> formats = engine.kvFormats(KvFormat.F16);
    Path path = location.path();
    ModelSummary summary = ModelSummary.read(path);
    List<BenchCase> cases = wished.stream().map(wish -> fitting(wish, summary)).distinct().toList();
    List<Json> results = new ArrayList<>();
    if (!json) {
      surroundings.out().println(BenchResult.HEAD);
    }
    try (Backend backend = engine.openBackend(surroundings);
        ProgressLine line = new ProgressLine(surroundings)) {
      BenchResult.Subject subject = subject(summary, backend, cases);
      for (KvRecipe format : formats) {
        BenchResult.Cache cache = cache(summary, format);
        try (Engine open = Engine.open(path, backend, config(summary, format, cases));
            BenchRun run = new BenchRun(open)) {
          for (BenchCase wanted : cases) {
            line.show(format.name() + " " + wanted.name() + " batch " + wanted.batch());
            List<Double> rates = run.measure(wanted, repetitions);
            line.clear();
            BenchResult result = new BenchResult(subject, cache, wanted, rates);
            results.add(result.json());
            if (!json) {
              surroundings.out().println(result.row());
              surroundings.out().flush();
            }
          }
        }
      }
    }
    if (json) {
      surroundings.out().println(new Json.Arr(results).toText());
    }
    return Main.OK;
  }

  private List<BenchCase> cases() {
    List<BenchCase> cases = new ArrayList<>();
    for (int batch : batches) {
      for (int depth : checked("-d", depths)) {
        for (int prompt : checked("-p", prompts)) {
          if (prompt > 0) {
            cases.add(new BenchCase(prompt, 0, depth, batch, shared));
          }
        }
        for (int generate : checked("-n", generates)) {
          if (generate > 0) {
            cases.add(new BenchCase(0, generate, depth, batch, shared));
          }
        }
      }
    }
    if (cases.isEmpty()) {
      throw new UsageException("there is nothing to measure; give -p or -n a number above 0");
    }
    return cases;
  }

  private static List<Integer> checked(String option, List<Integer> values) {
    for (int value : values) {
      if (value < 0) {
        throw new UsageException(option + " must not be negative: " + value);
      }
    }
    return values;
  }

  /// The case at the largest depth up to the wished one that the context has room for.
  private BenchCase fitting(BenchCase wish, ModelSummary summary) {
    int own = summary.config().contextLength();
    int limit = engine.context() > 0 ? Math.min(engine.context(), own) : own;
    int excess = wish.positions() - limit;
    if (excess <= 0) {
      return wish;
    }
    if (excess > wish.depth()) {
      throw new FailureException(
          "%s needs a context of %d and the limit is %d; give a smaller -p or -n"
              .formatted(wish.name(), wish.positions(), limit));
    }
    return wish.behind(wish.depth() - excess);
  }

  /// A cache that holds the largest case.
  private EngineConfig config(ModelSummary summary, KvRecipe format, List<BenchCase> cases) {
    EngineConfig config = engine.engineConfig(format);
    KvLayout layout = summary.config().kvLayout(config.blockTokens(), format);
    long blocks = 1;
    for (BenchCase wanted : cases) {
      long each = layout.blocksFor(wanted.positions(), config.stepTokens());
      blocks = Math.max(blocks, each * wanted.batch());
    }
    return config
        .withCacheBytes(blocks * layout.blockBytes())
        .withoutSharing()
        .withKeyProfiles(KeyProfiles.ZERO);
  }

  /// The cache in `format`; its bits are those of an element on the average over the layers.
  private BenchResult.Cache cache(ModelSummary summary, KvRecipe format) {
    int blockTokens = engine.blockTokens();
    KvLayout exact = summary.config().kvLayout(blockTokens, KvRecipe.of(KvFormat.F32));
    KvLayout coded = summary.config().kvLayout(blockTokens, format);
    double bits = 32.0 * coded.payloadBytesPerToken() / exact.payloadBytesPerToken();
    StepTraffic traffic = new StepTraffic(summary.tokenBytes(), coded);
    return new BenchResult.Cache(format.name(), bits, traffic);
  }

  /// Decoding on the processor is set beside a copy in its memory.
  private BenchResult.Subject subject(ModelSummary summary, Backend backend, List<BenchCase> cases)
      throws InterruptedException {
    boolean decodes = cases.stream().anyMatch(wanted -> wanted.generate() > 0);
    boolean compares = decodes && backend.name().equals("cpu");
    Path name = summary.path().toAbsolutePath().normalize().getFileName();
    return new BenchResult.Subject(
        name == null ? summary.path().toString() : name.toString(),
        summary.storedBytes(),
        summary.parameters(),
        backend.name(),
        engine.threads(),
        engine.blockTokens(),
        compares ? CopyBandwidth.measure(engine.threads()) : 0);
  }
}
