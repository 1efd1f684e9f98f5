package io.kvasir.cli;

import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.file.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `kvasir logits`: what a model computes for given token ids, as a file to compare with.
@Command(
    name = "logits",
    description = {
      "Run token ids through a model and write logits [S, V] and hidden.{i} [S, D] as f32.",
      "hidden.0 is the embedding, the last one is after the final norm."
    })
final class LogitsCommand implements Callable<Integer> {
  private static final int LOGIT_ROWS = 16;

  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();
  @Mixin EngineOptions engine = new EngineOptions();

  @Mixin ModelArgument model = new ModelArgument();

  @ArgGroup(multiplicity = "1")
  private Source source = new Source();

  /// One of the two ways to give ids.
  private static final class Source {
    @Option(names = "--ids", required = true, paramLabel = "1,2,3", description = "Token ids.")
    @Nullable String ids;

    @Option(
        names = "--ids-file",
        required = true,
        paramLabel = "FILE",
        description = "A JSON array of token ids.")
    @Nullable Path file;
  }

  @Option(
      names = "--prefill-chunk",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Positions computed in one step. Default: ${DEFAULT-VALUE}.")
  private int chunk = 512;

  @Option(
      names = "--greedy",
      paramLabel = "N",
      converter = PositiveInt.class,
      description = "Go on with the N likeliest tokens and write them as greedy_ids.")
  private int greedy;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "The safetensors file to write.")
  private Path out = Path.of("");

  LogitsCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    int[] ids = ids();
    int blockTokens = engine.blockTokens();
    ModelLocation location = model.locate(surroundings);
    engine.resolveAuto(location, surroundings);
    KvRecipe format = engine.kvFormat(KvFormat.F32);
    Path path = location.path();
    int capacity = Math.addExact(ids.length, greedy);
    Transformer.Rows rows =
        new Transformer.Rows(
            Math.min(chunk, ids.length), Math.min(LOGIT_ROWS, Math.min(chunk, ids.length)));
    try (Backend backend = engine.openBackend(surroundings);
        Model opened = Model.open(path, backend, rows, engine.context())) {
      check(opened, ids, capacity);
      KvLayout layout = opened.config().kvLayout(blockTokens, format);
      try (SequenceRun run =
              new SequenceRun(
                  opened,
                  backend,
                  layout,
                  surroundings.keyProfiles(),
                  capacity,
                  engine.usesKvCache());
          RecordedRows recorded = record(opened, backend, ids.length)) {
        write(run, recorded, ids);
      }
    }
    return Main.OK;
  }

  private int[] ids() throws IOException {
    if (source.ids != null) {
      return TokenIds.parse(source.ids);
    }
    return TokenIds.read(source.file == null ? Path.of("") : source.file);
  }

  private static RecordedRows record(Model model, Backend backend, int tokens) {
    return new RecordedRows(
        backend,
        tokens,
        model.transformer().vocabularySize(),
        model.config().layers().size(),
        model.config().width());
  }

  private static void check(Model model, int[] ids, int capacity) {
    int context = model.config().contextLength();
    if (capacity > context) {
      throw new FailureException(
          "%d token ids are more than the context of %d; give fewer".formatted(capacity, context));
    }
    int vocabulary = model.transformer().vocabularySize();
    for (int id : ids) {
      if (id < 0 || id >= vocabulary) {
        throw new FailureException(
            "token id %d is not in the model's vocabulary of 0 to %d"
                .formatted(id, vocabulary - 1));
      }
    }
  }

  private void write(SequenceRun run, RecordedRows recorded, int[] ids) throws IOException {
    for (int from = 0; from < ids.length; from += chunk) {
      run.step(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + chunk)), recorded);
    }
    int[] greedyIds = new int[greedy];
    for (int i = 0; i < greedy; i++) {
      greedyIds[i] = recorded.greedy();
      if (i + 1 < greedy) {
        run.step(new int[] {greedyIds[i]}, recorded);
      }
    }
    SafetensorsWriter writer = new SafetensorsWriter();
    recorded.addTo(writer);
    if (greedy > 0) {
      writer.addIds("greedy_ids", greedyIds);
    }
    writer.write(out);
  }
}
