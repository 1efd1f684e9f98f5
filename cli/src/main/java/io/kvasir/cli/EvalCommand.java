package io.kvasir.cli;

import io.kvasir.cli.eval.Document;
import io.kvasir.cli.eval.EvalReport;
import io.kvasir.cli.eval.EvalSubject;
import io.kvasir.cli.eval.FidelityRun;
import io.kvasir.cli.eval.Texts;
import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir eval`: what cache formats cost.
@Command(
    name = "eval",
    description = {
      "Measure what cache formats change: KL divergence of the next token's distribution from that",
      "over an f32 cache of the same model on the same text, same likeliest token, perplexity.",
      "f16 stands beside them as the floor."
    })
final class EvalCommand implements Callable<Integer> {
  private static final int LOGIT_ROWS = 32;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();

  @Parameters(
      arity = "0..1",
      paramLabel = "MODEL",
      description =
          "A GGUF file, a Hugging Face folder, a pulled name, or nothing for the default model.")
  private @Nullable String model;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "UTF-8 text to read; may be given several times. Default: built-in text.")
  private List<Path> texts = List.of();

  @Option(
      names = "--tokens",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Most tokens read in all. Default: 8192, with --quick 2048.")
  private int tokens;

  @Option(
      names = "--window",
      paramLabel = "N",
      converter = PositiveInt.class,
      description =
          "Tokens of a document at most. Default: 1024, with --quick 512, or the context.")
  private int window;

  @Option(names = "--quick", description = "Measure less, for a first impression.")
  private boolean quick;

  @Option(names = "--json", description = "Print one JSON document.")
  private boolean json;

  EvalCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    List<KvRecipe> recipes = new ArrayList<>(engine.kvFormats(KvFormat.F16));
    KvRecipe floor = KvRecipe.of(KvFormat.F16);
    if (!recipes.contains(floor)) {
      recipes.addFirst(floor);
    }
    ModelLocation location = ModelLocation.resolve(model, surroundings);
    Tokenizer tokenizer = ModelTokenizer.open(location);
    Transformer.Rows rows =
        new Transformer.Rows(EvalSubject.passRows(tokenizer.vocabularySize()), LOGIT_ROWS);
    EvalReport report = new EvalReport();
    try (Backend backend = engine.openBackend();
        ProgressLine line = new ProgressLine(surroundings);
        Model opened = Model.open(location.path(), backend, rows, engine.context())) {
      List<Document> documents = documents(tokenizer, opened);
      report.fact("model", new Json.Str(name(location.path())));
      report.fact("device", new Json.Str(backend.name()));
      report.fact("block_tokens", new Json.Int(engine.blockTokens()));
      report.fact("documents", new Json.Int(documents.size()));
      EvalSubject subject = subject(opened, backend, recipes);
      int longest = documents.stream().mapToInt(document -> document.ids().length).max().orElse(0);
      try (FidelityRun run = new FidelityRun(subject, recipes, longest)) {
        report.addFidelity(run.measure(documents, line::show));
      }
    }
    surroundings.out().println(json ? report.json().toText() : report.text().stripTrailing());
    return Main.OK;
  }

  private EvalSubject subject(Model opened, Backend backend, List<KvRecipe> recipes) {
    KvProfile profile = KvProfile.NONE;
    for (KvRecipe recipe : recipes) {
      KvLayout layout = opened.config().kvLayout(engine.blockTokens(), recipe);
      if (profile.layers() == 0) {
        profile = surroundings.keyProfiles().of(opened, backend, layout);
      }
    }
    return new EvalSubject(opened.transformer(), backend, engine.blockTokens(), profile);
  }

  private List<Document> documents(Tokenizer tokenizer, Model opened) throws IOException {
    int wished = window > 0 ? window : quick ? 512 : 1024;
    int most = Math.min(wished, opened.config().contextLength());
    int total = tokens > 0 ? tokens : quick ? 2048 : 8192;
    List<Document> documents = new ArrayList<>();
    if (texts.isEmpty()) {
      documents.addAll(Texts.builtIn(tokenizer::encodeWithSpecials, most, total));
    }
    for (Path text : texts) {
      String content = new String(Files.readAllBytes(text), StandardCharsets.UTF_8);
      int[] ids = tokenizer.encodeWithSpecials(content);
      documents.addAll(Texts.cut(name(text), ids, most));
    }
    documents = Texts.limited(documents, total);
    if (documents.isEmpty()) {
      throw new FailureException("there is nothing to read: the text has less than 2 tokens");
    }
    return documents;
  }

  private static String name(Path path) {
    Path name = path.toAbsolutePath().normalize().getFileName();
    return name == null ? path.toString() : name.toString();
  }
}
