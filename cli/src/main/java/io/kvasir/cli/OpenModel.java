package io.kvasir.cli;

import io.kvasir.compute.Backend;
import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineConfig;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.plan.Sizes;
import io.kvasir.model.template.ChatTemplate;
import io.kvasir.model.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// A model with all that a conversation needs: engine, tokenizer and chat template. Owns the engine
/// and its backend.
final class OpenModel implements AutoCloseable {
  private final Path path;
  private final Backend backend;
  private final Engine engine;
  private final Tokenizer tokenizer;
  private final @Nullable ChatTemplate template;
  private final KvRecipe kvFormat;

  private OpenModel(
      Path path, Backend backend, Engine engine, Tokenizer tokenizer, KvRecipe kvFormat) {
    this.path = path;
    this.backend = backend;
    this.engine = engine;
    this.tokenizer = tokenizer;
    this.kvFormat = kvFormat;
    String source = tokenizer.chatTemplate();
    this.template = source == null ? null : ChatTemplate.compile(source);
  }

  /// Opens what MODEL means, as the options say.
  static OpenModel open(ModelArgument model, EngineOptions options, Surroundings surroundings) {
    return open(model, options, surroundings, UnaryOperator.identity());
  }

  /// Opens what MODEL means, as the options say, with more of the engine set up by `more`.
  static OpenModel open(
      ModelArgument model,
      EngineOptions options,
      Surroundings surroundings,
      UnaryOperator<EngineConfig> more) {
    ModelLocation location = model.locate(surroundings);
    options.resolveAuto(location, surroundings);
    EngineConfig config =
        more.apply(options.engineConfig().withKeyProfiles(surroundings.keyProfiles()));
    Backend backend = options.openBackend(surroundings);
    Engine engine = null;
    try {
      Tokenizer tokenizer = ModelTokenizer.open(location);
      engine = openEngine(location, backend, config);
      return new OpenModel(location.path(), backend, engine, tokenizer, config.kvFormat());
    } catch (RuntimeException | Error e) {
      if (engine != null) {
        engine.close();
      }
      backend.close();
      throw e;
    }
  }

  private static Engine openEngine(ModelLocation location, Backend backend, EngineConfig config) {
    try {
      return Engine.open(location.path(), backend, config);
    } catch (IllegalArgumentException e) {
      // A size that the options give and the model cannot do with.
      throw new FailureException(String.valueOf(e.getMessage()), e);
    }
  }

  Engine engine() {
    return engine;
  }

  Tokenizer tokenizer() {
    return tokenizer;
  }

  /// The model's chat template, null where it has none.
  @Nullable ChatTemplate template() {
    return template;
  }

  /// The tokens that end an answer.
  Set<Integer> stopTokens() {
    Set<Integer> stops = new HashSet<>();
    for (int id : tokenizer.endOfGenerationIds()) {
      stops.add(id);
    }
    tokenizer.eosId().ifPresent(stops::add);
    return stops;
  }

  /// Name of the file or folder.
  String name() {
    Path name = path.toAbsolutePath().normalize().getFileName();
    return name == null ? path.toString() : name.toString();
  }

  String backendName() {
    return backend.name();
  }

  String kvFormat() {
    return kvFormat.name();
  }

  /// One line: what runs, on what, with which cache.
  String description() {
    return "%s (%s, %s of weights), %s, cache %s in blocks of %d, context %d"
        .formatted(
            name(),
            engine.modelConfig().architecture(),
            Sizes.bytes(engine.weightBytes()),
            backend.description(),
            kvFormat(),
            engine.layout().blockTokens(),
            engine.contextTokens());
  }

  @Override
  public void close() {
    engine.close();
    backend.close();
  }
}
