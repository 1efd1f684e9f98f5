package io.kvasir.cli;

import io.kvasir.cli.eval.ScorerTexts;
import io.kvasir.cli.eval.Texts;
import io.kvasir.compute.Backend;
import io.kvasir.engine.PruneWeights;
import io.kvasir.engine.ScorerTraining;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.plan.Sizes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir train-pruner`: trains what the pruning policy kvzap knows of a model.
@Command(
    name = "train-pruner",
    description = {
      "Train what --prune kvzap has to know of a model.",
      "The weights tell which tokens can go; they are written beside the model, where run and serve",
      "find them."
    })
final class TrainPrunerCommand implements Callable<Integer> {
  private static final int PASS_ROWS = 256;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();

  @Mixin ModelArgument model = new ModelArgument();

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = {
        "UTF-8 text like that which will be cached; may be given several times. Default: what the",
        "model itself writes."
      })
  private List<Path> files = new ArrayList<>();

  @Option(
      names = "--texts",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Texts that are read. Default: 16.")
  private int count = 16;

  @Option(
      names = "--length",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Tokens of a text. Default: 2000, or half the context.")
  private int length = 2000;

  @Option(names = "--out", paramLabel = "FILE", description = "Where to write the weights.")
  private @Nullable Path out;

  TrainPrunerCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path source = model.locate(surroundings).path();
    Path file = out == null ? PruneWeights.file(source) : out;
    long start = System.nanoTime();
    LinearScorer scorer;
    List<int[]> texts = texts();
    try (ProgressLine line = new ProgressLine(surroundings);
        Backend backend = engine.openBackend(surroundings);
        Model opened = Model.open(source, backend, new Transformer.Rows(PASS_ROWS, 1), 0)) {
      scorer =
          ScorerTraining.train(
              opened.transformer(),
              backend,
              texts,
              done -> line.show("read " + done + " of " + texts.size() + " texts"));
    } catch (IllegalArgumentException e) {
      throw new FailureException(String.valueOf(e.getMessage()), e);
    }
    scorer.write(file);
    surroundings
        .out()
        .printf(
            Locale.ROOT,
            "%s: %s, trained on %d tokens in %.0f s%n",
            file,
            Sizes.bytes(Files.size(file)),
            texts.stream().mapToLong(text -> text.length).sum(),
            (System.nanoTime() - start) / 1e9);
    return Main.OK;
  }

  private List<int[]> texts() throws IOException, InterruptedException {
    try (OpenModel opened = OpenModel.open(model, engine, surroundings)) {
      int most = Math.min(length, opened.engine().contextTokens() / 2);
      if (files.isEmpty()) {
        return ScorerTexts.written(opened.engine(), opened.tokenizer(), count, most);
      }
      List<int[]> texts = new ArrayList<>();
      for (Path path : files) {
        int[] ids = opened.tokenizer().encode(Files.readString(path, StandardCharsets.UTF_8));
        Texts.cut(path.toString(), ids, most).forEach(piece -> texts.add(piece.ids()));
      }
      if (texts.isEmpty()) {
        throw new FailureException("there is nothing to read: the text has less than 2 tokens");
      }
      return texts.subList(0, Math.min(count, texts.size()));
    }
  }
}
