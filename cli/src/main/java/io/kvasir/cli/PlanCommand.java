package io.kvasir.cli;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.plan.ConfigShape;
import io.kvasir.model.plan.FileShape;
import io.kvasir.model.plan.MemoryPlan;
import io.kvasir.model.plan.ModelShape;
import io.kvasir.model.plan.PlanJson;
import io.kvasir.model.plan.PlanRequest;
import io.kvasir.model.plan.PlanText;
import io.kvasir.model.plan.Sizes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir plan`: what weights and cache of a model take, and how many users fit.
@Command(
    name = "plan",
    description = {
      "Show the memory that a model's weights and cache take, and how many users fit.",
      "A config.json is enough; nothing is loaded."
    })
final class PlanCommand implements Callable<Integer> {
  private static final long UNKNOWN_CONTEXT = 4096;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(
      paramLabel = "MODEL",
      arity = "0..1",
      description = "A GGUF file, a Hugging Face folder, a bare config.json or a pulled model.")
  private @Nullable String model;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description = "Memory to fit into, such as 80GiB.")
  private @Nullable String memory;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Tokens of each user, such as 128k. Default: what the model was made for.")
  private @Nullable String context;

  @Option(
      names = "--users",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Sequences at once: what they take, and the largest context for each.")
  private int users;

  @Option(
      names = "--kv-format",
      paramLabel = "FORMAT",
      description = "Cache formats to compare with f16, such as int8,k8v4. Default: int8,int4.")
  private @Nullable String kvFormats;

  @Option(
      names = "--weights",
      paramLabel = "FORMAT",
      description = "Count the weights in this format, such as q4_k. Default: as they are.")
  private @Nullable String weights;

  @Option(
      names = "--block-tokens",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Positions in a cache block. Default: 64.")
  private int blockTokens = 64;

  @Option(names = "--json", description = "Print JSON: sizes in bytes, lengths in tokens.")
  private boolean json;

  PlanCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() {
    // All options are read before the model, so that a typing error is told first.
    List<KvRecipe> formats = formats();
    TensorType weightType = weights == null ? null : read(ConfigShape::weightFormat, weights);
    long memoryBytes = memory == null ? 0 : read(Sizes::parseBytes, memory);
    long asked = context == null ? 0 : read(Sizes::parseTokens, context);
    ModelShape shape = FileShape.read(path());
    long made = shape.contextLength() > 0 ? shape.contextLength() : UNKNOWN_CONTEXT;
    long tokens = asked > 0 ? asked : made;
    PlanRequest request =
        read(t -> new PlanRequest(t, memoryBytes, users, formats, blockTokens, weightType), tokens);
    MemoryPlan plan = MemoryPlan.of(shape, request);
    if (json) {
      surroundings.out().println(PlanJson.of(plan).toText());
    } else {
      surroundings.out().print(PlanText.of(plan));
    }
    return Main.OK;
  }

  private Path path() {
    if (model != null
        && model.toLowerCase(Locale.ROOT).endsWith(".json")
        && Files.isRegularFile(Path.of(model))) {
      return Path.of(model);
    }
    return ModelLocation.resolve(model, surroundings).path();
  }

  private List<KvRecipe> formats() {
    if (kvFormats == null) {
      return PlanRequest.DEFAULT_FORMATS;
    }
    List<KvRecipe> formats = new ArrayList<>();
    formats.add(KvRecipe.named("f16"));
    for (String name : KvRecipe.split(kvFormats)) {
      KvRecipe format = read(KvRecipe::named, name);
      if (!formats.contains(format)) {
        formats.add(format);
      }
    }
    return formats;
  }

  /// What `reader` makes of an option's value; a value it refuses is wrong usage.
  private static <T, R> R read(Function<T, R> reader, T value) {
    try {
      return reader.apply(value);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
  }
}
