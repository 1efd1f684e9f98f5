package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.kvcache.prune.PruneOptions;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.tokenizer.Tokenizer;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The model that a server offers. All of it stays the caller's to close, after the server.
///
/// @param name what clients call it
/// @param template how messages become a prompt; null where the model has none
/// @param stopTokens ids that end an answer
/// @param prune how requests are pruned that do not say it themselves
public record ServedModel(
    String name,
    Engine engine,
    Tokenizer tokenizer,
    @Nullable ChatTemplate template,
    Set<Integer> stopTokens,
    PruneOptions prune) {

  public ServedModel {
    stopTokens = Set.copyOf(stopTokens);
  }

  /// One whose requests are pruned where they ask for it only.
  public ServedModel(
      String name,
      Engine engine,
      Tokenizer tokenizer,
      @Nullable ChatTemplate template,
      Set<Integer> stopTokens) {
    this(name, engine, tokenizer, template, stopTokens, PruneOptions.NONE);
  }

  public ServedModel withPrune(PruneOptions value) {
    return new ServedModel(name, engine, tokenizer, template, stopTokens, value);
  }
}
