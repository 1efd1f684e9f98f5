package io.kvasir.cli;

import io.kvasir.cli.eval.EvalException;
import io.kvasir.cli.eval.EvalReport;
import io.kvasir.cli.eval.PruneChoice;
import io.kvasir.cli.eval.RecallContext;
import io.kvasir.cli.eval.RecallPrompts;
import io.kvasir.cli.eval.RecallRow;
import io.kvasir.cli.eval.RecallRun;
import io.kvasir.cli.eval.RecallScore;
import io.kvasir.compute.Backend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.engine.PruneCheck;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.ModelSummary;
import io.kvasir.model.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The part of `kvasir eval` that asks for facts: one engine per cache format.
final class EvalRecall {
  /// Room in a context for a question and its answer, beside what is told.
  private static final int QUESTION_TOKENS = 160;

  private static final int STEP_TOKENS = 512;

  private final Path path;
  private final Backend backend;
  private final EngineConfig config;
  private final RecallPrompts prompts;
  private final Set<Integer> stops;
  private final List<RecallContext> contexts;

  /// @param config of the engines, all but cache and format
  EvalRecall(
      Path path,
      Backend backend,
      EngineConfig config,
      Tokenizer tokenizer,
      RecallContext.Plan plan) {
    this.path = path;
    this.backend = backend;
    this.config = config.withStepTokens(STEP_TOKENS).withoutSharing();
    this.prompts = new RecallPrompts(tokenizer);
    this.stops = stops(tokenizer);
    this.contexts = RecallContext.make(plan, prompts::count);
  }

  private static Set<Integer> stops(Tokenizer tokenizer) {
    Set<Integer> stops = new HashSet<>();
    for (int id : tokenizer.endOfGenerationIds()) {
      stops.add(id);
    }
    tokenizer.eosId().ifPresent(stops::add);
    return stops;
  }

  /// The lengths that a context of `limit` tokens has room for.
  static List<Integer> fitting(List<Integer> lengths, int limit) {
    int most = limit - QUESTION_TOKENS;
    List<Integer> fitting = lengths.stream().filter(length -> length <= most).toList();
    if (fitting.isEmpty()) {
      throw new FailureException(
          "no length of %s fits the context of %d with a question; give a smaller --lengths"
              .formatted(lengths, limit));
    }
    return fitting;
  }

  /// Checks that everything asked for by name can be pruned, so that nothing measured is lost.
  ///
  /// @throws FailureException saying why not
  void check(List<KvRecipe> recipes, List<PruneChoice> prunings) {
    int longest = contexts.getLast().length();
    for (KvRecipe recipe : recipes) {
      for (PruneChoice choice : prunings) {
        for (PruneOptions options : choice.all() ? List.<PruneOptions>of() : choice.options()) {
          try {
            PruneCheck.check(path, backend, config.withKvFormat(recipe), options, longest);
          } catch (IllegalArgumentException e) {
            throw new FailureException(
                recipe.name() + " " + options.text() + ": " + e.getMessage(), e);
          }
        }
      }
    }
  }

  /// Measures all formats, each whole and with every pruning; the f16 cache has to be the first.
  void measure(
      List<KvRecipe> recipes,
      List<PruneChoice> prunings,
      EvalReport report,
      Consumer<String> progress)
      throws InterruptedException {
    KvRecipe raw = KvRecipe.of(KvFormat.F16);
    RecallScore full = null;
    for (KvRecipe recipe : recipes) {
      try (Engine engine = open(recipe)) {
        RecallRun run = new RecallRun(engine, prompts, stops);
        RecallScore score =
            run.measure(
                contexts,
                PruneOptions.NONE,
                text -> progress.accept("recall, " + recipe.name() + ": " + text));
        full = full == null && recipe.equals(raw) ? score : full;
        report.addRecall(new RecallRow(recipe.name(), "", 1, score, full));
        for (PruneChoice choice : prunings) {
          for (PruneOptions options : choice.options()) {
            RecallRow row = pruned(run, recipe, options, choice.all(), report, full, progress);
            if (row != null) {
              report.addRecall(row);
            }
          }
        }
      }
    }
  }

  /// Null where the policy cannot be used with the model and need not be.
  private @Nullable RecallRow pruned(
      RecallRun run,
      KvRecipe recipe,
      PruneOptions options,
      boolean optional,
      EvalReport report,
      @Nullable RecallScore full,
      Consumer<String> progress)
      throws InterruptedException {
    String name = recipe.name() + " " + options.text();
    try {
      RecallScore score =
          run.measure(contexts, options, text -> progress.accept("recall, " + name + ": " + text));
      double kept = options.drops() ? 1 - options.ratio() : 1;
      return new RecallRow(recipe.name(), options.text(), kept, score, full);
    } catch (IllegalArgumentException | EvalException e) {
      boolean refused =
          e instanceof IllegalArgumentException
              || e.getCause() instanceof IllegalArgumentException
              || e.getCause() instanceof UnsupportedOperationException;
      if (!optional || !refused) {
        throw new FailureException(name + ": " + e.getMessage(), e);
      }
      report.leftOut(name, String.valueOf(e.getMessage()));
      return null;
    }
  }

  private Engine open(KvRecipe recipe) {
    EngineConfig own = config.withKvFormat(recipe);
    try {
      // A first look at the model tells how large its blocks are.
      ModelConfig model = ModelSummary.read(path).config();
      KvLayout layout = model.kvLayout(own.blockTokens(), recipe);
      int longest = contexts.getLast().length() + QUESTION_TOKENS;
      long one =
          layout.blocksFor(Math.min(longest + longest / 8, model.contextLength()), STEP_TOKENS);
      long blocks = one * (3 + RecallRun.AT_ONCE / 2);
      return Engine.open(path, backend, own.withCacheBytes(blocks * layout.blockBytes()));
    } catch (IllegalArgumentException e) {
      throw new FailureException(String.valueOf(e.getMessage()), e);
    }
  }
}
