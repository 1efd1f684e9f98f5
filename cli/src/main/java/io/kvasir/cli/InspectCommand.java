package io.kvasir.cli;

import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.FileShape;
import io.kvasir.model.plan.MemoryPlan;
import io.kvasir.model.plan.PlanJson;
import io.kvasir.model.plan.PlanRequest;
import io.kvasir.model.plan.PlanText;
import io.kvasir.model.plan.Sizes;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir inspect`: what a model is and what its cache costs here.
@Command(
    name = "inspect",
    description = {
      "Show a model: architecture, number formats, cache bytes per token in each format, and",
      "the largest context that fits into the memory that is free here."
    })
final class InspectCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Mixin ModelArgument model = new ModelArgument();

  @Option(
      names = "--kv-format",
      paramLabel = "FORMAT",
      description = "Cache formats to compare. Default: f32,f16,bf16,int8,k8v4,int4,kvarn3,lm2.")
  private String kvFormats = "f32,f16,bf16,int8,k8v4,int4,kvarn3,lm2";

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  InspectCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() {
    List<KvRecipe> formats = formats();
    ModelLocation location = model.locate(surroundings);
    ModelSummary summary = ModelSummary.read(location.path());
    Tokenizer tokenizer = ModelTokenizer.open(location);
    long context = summary.config().contextLength();
    MemoryPlan plan =
        MemoryPlan.of(
            FileShape.read(location.path()),
            new PlanRequest(context, AvailableMemory.bytes(), 0, formats, 64, null));
    if (json) {
      surroundings.out().println(toJson(summary, tokenizer, plan).toText());
    } else {
      print(summary, tokenizer, plan);
    }
    return Main.OK;
  }

  private List<KvRecipe> formats() {
    try {
      return KvRecipe.split(kvFormats).stream().map(KvRecipe::named).distinct().toList();
    } catch (IllegalArgumentException e) {
      throw new UsageException("--kv-format: " + e.getMessage());
    }
  }

  private void print(ModelSummary summary, Tokenizer tokenizer, MemoryPlan plan) {
    PrintStream out = surroundings.out();
    out.println("model      " + summary.path());
    List<String> stored = new ArrayList<>();
    for (ModelSummary.WeightShare share : summary.weights()) {
      stored.add(
          "%s %s in %d tensors"
              .formatted(share.type(), Sizes.bytes(share.bytes()), share.tensors()));
    }
    out.println("stored     " + String.join(", ", stored));
    out.println(
        "tokenizer  %d tokens, %s"
            .formatted(
                tokenizer.vocabularySize(),
                tokenizer.chatTemplate() == null ? "no chat template" : "with a chat template"));
    out.print(PlanText.of(plan));
  }

  private static Json toJson(ModelSummary summary, Tokenizer tokenizer, MemoryPlan plan) {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("model", new Json.Str(summary.path().toString()));
    List<Json> stored = new ArrayList<>();
    for (ModelSummary.WeightShare share : summary.weights()) {
      Map<String, Json> weight = new LinkedHashMap<>();
      weight.put("format", new Json.Str(share.type().name().toLowerCase(Locale.ROOT)));
      weight.put("tensors", new Json.Int(share.tensors()));
      weight.put("bytes", new Json.Int(share.bytes()));
      stored.add(new Json.Obj(weight));
    }
    fields.put("stored", new Json.Arr(stored));
    fields.put("stored_bytes", new Json.Int(summary.storedBytes()));
    fields.put("vocabulary", new Json.Int(tokenizer.vocabularySize()));
    fields.put("chat_template", new Json.Bool(tokenizer.chatTemplate() != null));
    fields.putAll(PlanJson.of(plan).asMap());
    return new Json.Obj(fields);
  }
}
