package io.kvasir.cli;

import io.kvasir.cli.eval.AttentionErrorRun;
import io.kvasir.cli.eval.Document;
import io.kvasir.cli.eval.EvalReport;
import io.kvasir.cli.eval.EvalSubject;
import io.kvasir.cli.eval.FidelityRun;
import io.kvasir.cli.eval.PruneChoice;
import io.kvasir.cli.eval.RecallContext;
import io.kvasir.cli.eval.Texts;
import io.kvasir.compute.Backend;
import io.kvasir.engine.EngineConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.Transformer;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir eval`: what cache formats cost.
@Command(
    name = "eval",
    description = {
      "Measure what cache formats and pruning cost.",
      "kl: divergence of the next token's distribution from that over an f32 cache of the same",
      "model on the same text, same likeliest token, perplexity.",
      "error: of each layer's attention, given exact inputs to that layer.",
      "recall: facts in long texts, asked for afterwards. f16 stands beside them as the floor."
    })
final class EvalCommand implements Callable<Integer> {
  private static final int LOGIT_ROWS = 32;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();

  @Mixin ModelArgument model = new ModelArgument();

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

  /// What can be measured.
  enum Part {
    KL,
    ERROR,
    RECALL
  }

  @Option(
      names = "--measure",
      paramLabel = "PART,PART",
      split = ",",
      description = "kl, error, recall. Default: all; with --prune recall.")
  private @Nullable Set<Part> parts;

  @Option(
      names = "--prune",
      paramLabel = "POLICY:RATIO,RATIO",
      description =
          "Ask for facts after so much of what was read was dropped, such as snapkv:0.5,0.75; all"
              + " for every policy. May be given several times.")
  private List<String> prunings = List.of();

  @Option(
      names = "--lengths",
      paramLabel = "N,N",
      split = ",",
      converter = PositiveInt.class,
      description = "Tokens of the texts with facts. Default: 1024,2048,3072.")
  private List<Integer> lengths = List.of(1024, 2048, 3072);

  @Option(
      names = "--contexts",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Texts of each length. Default: 4, with --prune 2, with --quick 1.")
  private int contexts;

  @Option(
      names = "--facts",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Facts in each text, at most 32. Default: 24, with --quick 8.")
  private int facts;

  @Option(names = "--seed", paramLabel = "N", description = "Which texts are made. Default: 0.")
  private long seed;

  @Option(names = "--quick", description = "Measure less, for a first impression.")
  private boolean quick;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      description = "Write a picture: loss by bytes per token, recall by depth and length.")
  private @Nullable Path svg;

  @Option(names = "--json", description = "Print one JSON document.")
  private boolean json;

  EvalCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<PruneChoice> choices = pruneChoices();
    Set<Part> wanted = wanted();
    if (facts > RecallContext.MOST_FACTS) {
      throw new UsageException(
          "--facts must be at most " + RecallContext.MOST_FACTS + ", not " + facts);
    }
    checkPicture();
    ModelLocation location = model.locate(surroundings);
    engine.resolveAuto(location, surroundings);
    List<KvRecipe> recipes = new ArrayList<>(engine.kvFormats(KvFormat.F16));
    KvRecipe floor = KvRecipe.of(KvFormat.F16);
    recipes.remove(floor);
    recipes.addFirst(floor);
    Source source = new Source(location.path(), ModelTokenizer.open(location));
    EvalReport report = new EvalReport();
    try (Backend backend = engine.openBackend(surroundings);
        ProgressLine line = new ProgressLine(surroundings)) {
      report.fact("model", new Json.Str(name(location.path())));
      report.fact("device", new Json.Str(backend.name()));
      report.fact("block_tokens", new Json.Int(engine.blockTokens()));
      EvalRecall recall = wanted.contains(Part.RECALL) ? recall(source, backend) : null;
      if (recall != null) {
        recall.check(recipes, choices);
      }
      if (wanted.contains(Part.KL) || wanted.contains(Part.ERROR)) {
        text(wanted, source, backend, recipes, report, line);
      }
      if (recall != null) {
        recall.measure(recipes, choices, report, line::show);
      }
    }
    if (svg != null) {
      Files.writeString(svg, report.picture());
    }
    surroundings.out().println(json ? report.json().toText() : report.text().stripTrailing());
    return Main.OK;
  }

  /// What cannot be written is better told before the work than after it. A picture of before stays
  /// until there is another.
  private void checkPicture() throws IOException {
    if (svg == null) {
      return;
    }
    Path folder = svg.toAbsolutePath().getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new UsageException("--svg: there is no folder '" + folder + "'");
    }
    Files.newByteChannel(svg, StandardOpenOption.CREATE, StandardOpenOption.WRITE).close();
  }

  private EvalRecall recall(Source source, Backend backend) {
    boolean pruned = !prunings.isEmpty();
    int limit = ModelSummary.read(source.path()).config().contextLength();
    limit = engine.context() > 0 ? Math.min(limit, engine.context()) : limit;
    RecallContext.Plan plan =
        new RecallContext.Plan(
            EvalRecall.fitting(lengths, limit),
            contexts > 0 ? contexts : quick ? 1 : pruned ? 2 : 4,
            facts > 0 ? facts : quick ? 8 : 24,
            seed);
    EngineConfig config =
        engine.engineConfig(KvRecipe.of(KvFormat.F16)).withKeyProfiles(surroundings.keyProfiles());
    return new EvalRecall(source.path(), backend, config, source.tokenizer(), plan);
  }

  private Set<Part> wanted() {
    if (parts != null) {
      return parts;
    }
    return prunings.isEmpty() ? EnumSet.allOf(Part.class) : EnumSet.of(Part.RECALL);
  }

  private List<PruneChoice> pruneChoices() {
    try {
      List<PruneChoice> choices = new ArrayList<>();
      for (String text : prunings) {
        choices.add(PruneChoice.parse(text));
      }
      return choices;
    } catch (IllegalArgumentException e) {
      throw new UsageException("--prune: " + e.getMessage());
    }
  }

  private record Source(Path path, Tokenizer tokenizer) {}

  /// What is measured on text alone.
  private void text(
      Set<Part> wanted,
      Source source,
      Backend backend,
      List<KvRecipe> recipes,
      EvalReport report,
      ProgressLine line)
      throws IOException {
    Tokenizer tokenizer = source.tokenizer();
    Transformer.Rows rows =
        new Transformer.Rows(EvalSubject.passRows(tokenizer.vocabularySize()), LOGIT_ROWS);
    try (Model opened = Model.open(source.path(), backend, rows, engine.context())) {
      List<Document> documents = documents(tokenizer, opened);
      report.fact("documents", new Json.Int(documents.size()));
      EvalSubject subject = subject(opened, backend, recipes);
      int longest = documents.stream().mapToInt(document -> document.ids().length).max().orElse(0);
      if (wanted.contains(Part.KL)) {
        try (FidelityRun run = new FidelityRun(subject, recipes, longest)) {
          report.addFidelity(run.measure(documents, line::show));
        }
      }
      if (wanted.contains(Part.ERROR)) {
        AttentionErrorRun run = new AttentionErrorRun(subject, documents.getFirst().ids());
        report.addErrors(run.measure(recipes, line::show));
      }
    }
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
