package io.kvasir.cli;

import io.kvasir.cli.eval.BitsBudget;
import io.kvasir.cli.eval.BitsProbe;
import io.kvasir.cli.eval.Document;
import io.kvasir.cli.eval.EvalSubject;
import io.kvasir.cli.eval.Texts;
import io.kvasir.compute.Backend;
import io.kvasir.engine.Calibration;
import io.kvasir.engine.KeyProfiles;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Model;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.Transformer;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Finds the cache format that `--kv-format auto` stands for: probes a model once and keeps what
/// was found beside its profile.
final class AutoFormat {
  private static final int LOGIT_ROWS = 32;
  private static final int TOKENS = 1024;
  private static final int WINDOW = 256;
  private static final int MOST_CHARACTERS = 10_000;

  private final ModelLocation location;
  private final Surroundings surroundings;
  private final EngineOptions options;

  AutoFormat(ModelLocation location, Surroundings surroundings, EngineOptions options) {
    this.location = location;
    this.surroundings = surroundings;
    this.options = options;
  }

  /// The name of the recipe for `auto` or `auto:BUDGET`.
  String resolve(String name) {
    BitsBudget budget;
    try {
      budget = BitsBudget.parse(name);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--kv-format: " + e.getMessage());
    }
    try (Backend backend = options.openBackend(surroundings)) {
      KeyProfiles profiles = surroundings.keyProfiles();
      Path file =
          profiles.file(
              location.path(),
              ModelSummary.read(location.path()).config(),
              backend.name(),
              "." + name.replace(':', '-') + ".format");
      String kept = file == null ? null : read(file);
      if (kept != null) {
        return kept;
      }
      String found = probe(budget, backend, profiles);
      profiles.notice().accept("--kv-format " + name + " is " + found);
      if (file != null) {
        keep(file, found);
      }
      return found;
    }
  }

  private String probe(BitsBudget budget, Backend backend, KeyProfiles profiles) {
    Tokenizer tokenizer = ModelTokenizer.open(location);
    Transformer.Rows rows =
        new Transformer.Rows(EvalSubject.passRows(tokenizer.vocabularySize()), LOGIT_ROWS);
    try (Model model = Model.open(location.path(), backend, rows, options.context());
        ProgressLine line = new ProgressLine(surroundings)) {
      int blockTokens = options.blockTokens();
      KvLayout layout = model.config().kvLayout(blockTokens, KvRecipe.of(KvFormat.INT8));
      KvProfile profile = profiles.of(model, backend, layout);
      EvalSubject subject = new EvalSubject(model.transformer(), backend, blockTokens, profile);
      int window = Math.min(WINDOW, model.config().contextLength());
      int[] ids = tokenizer.encodeWithSpecials(Calibration.text());
      List<Document> text = Texts.limited(Texts.cut("calibration", ids, window), TOKENS);
      return new BitsProbe(subject).choose(budget, text, line::show).recipe().name();
    } catch (IllegalArgumentException e) {
      throw new FailureException("--kv-format: " + e.getMessage(), e);
    }
  }

  /// What was found before, or null.
  private static @Nullable String read(Path file) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) > MOST_CHARACTERS) {
        return null;
      }
      return KvRecipe.named(Files.readString(file).strip()).name();
    } catch (IOException | IllegalArgumentException e) {
      return null;
    }
  }

  private static void keep(Path file, String name) {
    try {
      Path folder = file.toAbsolutePath().getParent();
      Files.createDirectories(folder);
      Files.writeString(file, name + "\n");
    } catch (IOException e) {
      // It is probed again the next time.
    }
  }
}
