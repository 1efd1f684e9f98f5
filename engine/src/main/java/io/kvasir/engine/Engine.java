package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.model.Model;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.Transformer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Runs one model for any number of requests at once.
///
/// [#submit] hands a request to the engine's own thread and returns at once; that thread alone
/// touches the cache, the scheduler and the sequences, one step after another:
///
/// ```
/// inbox -> Scheduler.schedule -> ModelRunner.run -> Scheduler.update -> token streams
/// ```
///
/// A step that fails ends its sequences with an error; the engine goes on.
///
/// ```java
/// try (Engine engine = Engine.open(path, backend, EngineConfig.DEFAULT)) {
///   TokenStream answer = engine.submit(new Request(prompt, 100, SamplingOptions.GREEDY, Set.of()));
///   while (answer.advance()) {
///     use(answer.token());
///   }
/// }
/// ```
public final class Engine implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Engine.class.getName());

  private final Model model;
  private final KvCache cache;
  private final int contextTokens;
  private final Scheduler scheduler;
  private final ModelRunner runner;
  private final ConcurrentLinkedQueue<Runnable> inbox = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private volatile boolean closing;

  private Engine(Model model, Backend backend, EngineConfig config) {
    this.model = model;
    this.contextTokens = model.config().contextLength();
    KvLayout layout =
        model.config().kvLayout(config.blockTokens(), config.keyFormat(), config.valueFormat());
    KvCacheConfig cacheConfig = cacheConfig(layout, config);
    this.cache =
        new KvCache(cacheConfig, backend.storage(layout.blockBytes(), cacheConfig.blockCount()));
    this.scheduler = new Scheduler(cache, config, contextTokens);
    this.runner = new ModelRunner(model.transformer(), backend, cache);
    this.thread = new Thread(this::loop, "kvasir-engine");
    thread.setDaemon(true);
    thread.start();
  }

  /// Opens a model and starts its engine.
  ///
  /// @param model a GGUF file or a Hugging Face folder
  /// @param backend where it runs; stays the caller's to close, after the engine
  /// @throws io.kvasir.model.file.ModelFormatException where the model cannot be read
  /// @throws io.kvasir.model.UnsupportedModelException where Kvasir does not run it
  public static Engine open(Path model, Backend backend, EngineConfig config) {
    Transformer.Rows rows = new Transformer.Rows(config.stepTokens(), 1);
    Model open = Model.open(model, backend, rows, config.contextTokens());
    try {
      return new Engine(open, backend, config);
    } catch (RuntimeException | Error e) {
      open.close();
      throw e;
    }
  }

  private KvCacheConfig cacheConfig(KvLayout layout, EngineConfig config) {
    EvictionPolicy.Factory policy = EvictionPolicies.named(config.evictionPolicy());
    if (config.cacheBytes() > 0) {
      return KvCacheConfig.ofBytes(layout, config.cacheBytes()).withPolicy(policy);
    }
    return new KvCacheConfig(layout, (int) layout.blocksFor(contextTokens, config.stepTokens()))
        .withPolicy(policy);
  }

  public ModelConfig modelConfig() {
    return model.config();
  }

  /// Bytes of the model's weights as its file stores them.
  public long weightBytes() {
    return model.weightBytes();
  }

  public int vocabularySize() {
    return model.transformer().vocabularySize();
  }

  /// Most tokens of a sequence, prompt and answer together.
  public int contextTokens() {
    return contextTokens;
  }

  public KvLayout layout() {
    return cache.layout();
  }

  /// Submits a request. Its answer ends with [FinishReason#CANCELLED] where the engine closes
  /// first.
  ///
  /// @throws PromptTooLongException where the prompt leaves no room for an answer
  /// @throws IllegalArgumentException where a token is not in the vocabulary or the session is
  ///   closed
  public TokenStream submit(Request request) {
    check(request);
    TokenStream stream = new TokenStream();
    long now = System.nanoTime();
    post(() -> scheduler.enqueue(new Scheduler.Pending(request, stream, now)));
    return stream;
  }

  private void check(Request request) {
    int length = request.prompt().length;
    if (length >= contextTokens) {
      throw new PromptTooLongException(length, contextTokens);
    }
    long need = scheduler.need(request);
    if (need > cache.config().blockCount()) {
      throw new IllegalArgumentException(
          "the request needs up to %d cache blocks and the cache has %d; ask for fewer tokens or give the cache more memory"
              .formatted(need, cache.config().blockCount()));
    }
    for (int token : request.prompt()) {
      if (token < 0 || token >= vocabularySize()) {
        throw new IllegalArgumentException(
            "token id %d is not in the vocabulary of %d".formatted(token, vocabularySize()));
      }
    }
    if (request.session() != null && request.session().isClosed()) {
      throw new IllegalArgumentException("the session is closed");
    }
  }

  /// A conversation whose cache is kept between requests.
  public Session openSession() {
    return openSession("");
  }

  /// A conversation whose prefixes are shared only with requests of the same salt.
  public Session openSession(String salt) {
    return new Session(this, salt);
  }

  /// The state of the cache between two steps.
  public KvCacheStats cacheStats() {
    return ask(cache::stats);
  }

  /// Proves the cache's invariants between two steps.
  ///
  /// @throws IllegalStateException naming the one that does not hold
  public void verify() {
    ask(() -> {
      cache.verify();
      return true;
    });
  }

  void forget(Session session) {
    if (!closing) {
      post(() -> scheduler.forget(session));
    }
  }

  private <T> T ask(Supplier<T> question) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    post(() -> {
      try {
        answer.complete(question.get());
      } catch (RuntimeException e) {
        answer.completeExceptionally(e);
      }
    });
    try {
      return answer.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  private void post(Runnable command) {
    if (closing) {
      throw new IllegalStateException("the engine is closed");
    }
    inbox.add(command);
    LockSupport.unpark(thread);
  }

  private void loop() {
    cache.adopt();
    while (!closing) {
      drainInbox();
      Batch batch = step();
      if (batch == null && inbox.isEmpty() && !closing) {
        LockSupport.park(this);
      }
    }
    drainInbox();
    scheduler.cancelAll(System.nanoTime());
  }

  /// One step; null where there was nothing to do.
  private @Nullable Batch step() {
    try {
      Batch batch = scheduler.schedule(System.nanoTime());
      if (batch.isEmpty()) {
        return null;
      }
      int[] chosen = runner.run(batch);
      scheduler.update(batch, chosen, System.nanoTime());
      return batch;
    } catch (Throwable t) {
      LOG.log(System.Logger.Level.ERROR, "event=step_failed error=" + t, t);
      scheduler.failAll(t, System.nanoTime());
      return null;
    }
  }

  private void drainInbox() {
    for (Runnable command = inbox.poll(); command != null; command = inbox.poll()) {
      command.run();
    }
  }

  /// Cancels what is running and frees the cache and the model.
  @Override
  public void close() {
    if (closing) {
      return;
    }
    closing = true;
    LockSupport.unpark(thread);
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    cache.close();
    model.close();
  }
}
