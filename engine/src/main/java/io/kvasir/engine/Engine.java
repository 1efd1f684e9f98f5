package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.CacheView;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvCacheStats;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import io.kvasir.kvcache.eviction.TenantShares;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.kvcache.tier.KvStorage;
import io.kvasir.kvcache.tier.OffloadStats;
import io.kvasir.kvcache.tier.Offloader;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierFactory;
import io.kvasir.model.Model;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.Transformer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
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
/// A step that fails ends its sequences with an error; the engine goes on. Where that is not
/// possible, all requests end with an error and [#isRunning] is false.
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
  /// How long an idle engine waits before it stores more of what should outlive it.
  private static final long STORE_PAUSE_NANOS = 1_000_000;

  /// Rows whose scores are computed at once: the output matrix is read once for so many sequences.
  private static final int MOST_SCORED_ROWS = 32;

  /// The same for a device with memory of its own, whose decoding steps are one pass with scores
  /// and all.
  private static final int MOST_SCORED_ROWS_OF_DEVICE = 256;

  /// A new snapshot is published at most this often while the engine is busy.
  private static final long SNAPSHOT_NANOS = 20_000_000;

  private static final System.Logger LOG = System.getLogger(Engine.class.getName());

  private final Model model;
  private final Path path;
  private final String arithmetic;
  private final KvProfile profile;
  private final KvCache cache;
  private final int contextTokens;
  private final Scheduler scheduler;
  private final ModelRunner runner;
  private final ConcurrentLinkedQueue<Runnable> inbox = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private final AtomicLong arrivals = new AtomicLong();
  private final StepClock clock = new StepClock();
  private final Auditor auditor;
  private volatile EngineSnapshot snapshot;
  private volatile boolean closing;
  private volatile boolean dead;
  private volatile @Nullable String fingerprint;

  /// Nothing waits to be stored below the cache; the engine thread's.
  private boolean settled = true;

  private Engine(Path path, Model model, Backend backend, EngineConfig config) {
    this.model = model;
    this.path = path;
    this.arithmetic = backend.arithmetic();
    this.contextTokens = model.config().contextLength();
    KvLayout layout = model.config().kvLayout(config.blockTokens(), config.kvFormat());
    this.profile = config.keyProfiles().of(model, backend, layout);
    KvCacheConfig cacheConfig = cacheConfig(layout, config, backend.freeBytes());
    KvStorage storage = backend.storage(layout.blockBytes(), cacheConfig.blockCount());
    this.cache = new KvCache(cacheConfig, storage, offloader(layout, storage, config));
    this.scheduler = new Scheduler(cache, config, contextTokens, this::wake);
    Pruning pruning = pruning(model, backend, config, profile);
    scheduler.prune(pruning);
    this.runner =
        new ModelRunner(model.transformer(), backend, metadata(profile), pruning.observer());
    this.auditor = new Auditor(cache, config.auditNanos());
    this.snapshot = takeSnapshot();
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
    int most =
        backend.freeBytes() < 0
            ? MOST_SCORED_ROWS
            : Math.clamp(config.sequences(), MOST_SCORED_ROWS, MOST_SCORED_ROWS_OF_DEVICE);
    int scored = Math.min(most, config.stepTokens());
    Transformer.Rows rows = new Transformer.Rows(config.stepTokens(), scored);
    Model open = Model.open(model, backend, rows, config.contextTokens());
    try {
      return new Engine(model, open, backend, config);
    } catch (RuntimeException | Error e) {
      open.close();
      throw e;
    }
  }

  private AttentionMetadata metadata(KvProfile profile) {
    return new AttentionMetadata(cache.layout(), cache.storage(), profile);
  }

  private Pruning pruning(Model model, Backend backend, EngineConfig config, KvProfile profile) {
    LinearScorer scorer = PruneWeights.of(config, path, model.config(), cache.layout());
    PruneLimits limits =
        new PruneLimits(contextTokens, config.useCache(), scorer != null, backend.skipsPages());
    return new Pruning(cache, model.transformer(), backend, metadata(profile), limits, scorer);
  }

  private @Nullable Offloader offloader(KvLayout layout, KvStorage storage, EngineConfig config) {
    if (config.tiers().isEmpty()) {
      return null;
    }
    List<Tier> tiers = new ArrayList<>();
    String known;
    try {
      known = ModelFingerprint.of(path, model.config(), layout, profile, arithmetic);
      fingerprint = known;
      for (TierFactory factory : config.tiers()) {
        tiers.add(factory.open(known, layout.blockBytes()));
      }
    } catch (RuntimeException e) {
      tiers.forEach(Tier::close);
      storage.close();
      throw e;
    }
    long ofDevice = storage.view(0) == null ? layout.blockBytes() : 0;
    return new Offloader(tiers, storage, config.offload(known, ofDevice));
  }

  /// @param deviceBytes free on the backend's device, -1 where it has no memory of its own
  private KvCacheConfig cacheConfig(KvLayout layout, EngineConfig config, long deviceBytes) {
    EvictionPolicy.Factory policy =
        TenantShares.of(
            EvictionPolicies.named(config.evictionPolicy()),
            Terms::tenantOf,
            config.tenantWeights());
    if (config.cacheBytes() > 0) {
      return KvCacheConfig.ofBytes(layout, config.cacheBytes()).withPolicy(policy);
    }
    long one = BlockNeeds.whole(layout, contextTokens, config.stepTokens());
    if (deviceBytes >= 0) {
      // A device's memory is for its blocks, but for what a step needs besides.
      long fitting = (deviceBytes - deviceBytes / 8) / layout.blockBytes();
      long wanted = Math.clamp(fitting, 1, EngineConfig.SPARE_SEQUENCES * one);
      return new KvCacheConfig(layout, Math.toIntExact(wanted)).withPolicy(policy);
    }
    long spare =
        Math.min(EngineConfig.SPARE_SEQUENCES * one, config.spareBytes() / layout.blockBytes());
    return new KvCacheConfig(layout, Math.toIntExact(Math.max(one, spare))).withPolicy(policy);
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
  /// @throws QueueFullException where as many requests wait as may
  /// @throws IllegalArgumentException where a token is not in the vocabulary or the session is
  ///   closed
  public TokenStream submit(Request request) {
    int length = request.prompt().length;
    if (length >= contextTokens) {
      throw new PromptTooLongException(length, contextTokens);
    }
    return submit(request, false);
  }

  /// A unit vector that stands for some tokens: the mean of the model's last hidden rows. Nothing
  /// of it comes from cached prefixes, whose hidden rows are not kept.
  ///
  /// @return gives the request up where it is cancelled; completes exceptionally where the request
  ///   fails, or with [CancellationException] where the engine closes first or the request waits
  ///   too long
  /// @throws PromptTooLongException where the tokens do not fit the context
  /// @throws QueueFullException where as many requests wait as may
  public CompletableFuture<float[]> embed(int[] tokens, Terms terms) {
    if (tokens.length > contextTokens) {
      throw new PromptTooLongException(tokens.length, contextTokens);
    }
    Request request =
        new Request(tokens, 1, SamplingOptions.GREEDY, Set.of(), terms, Output.PLAIN, null);
    TokenStream stream = submit(request, true);
    CompletableFuture<float[]> result =
        new CompletableFuture<>() {
          @Override
          public boolean cancel(boolean mayInterrupt) {
            stream.cancel();
            return super.cancel(mayInterrupt);
          }
        };
    Thread.startVirtualThread(() -> complete(stream, result));
    return result;
  }

  private static void complete(TokenStream stream, CompletableFuture<float[]> result) {
    try {
      while (stream.advance()) {
        // An embedding has no tokens.
      }
      float[] unit = stream.embedding();
      Throwable error = stream.outcome().error();
      if (unit != null) {
        result.complete(unit);
      } else {
        result.completeExceptionally(
            error == null
                ? new CancellationException("no answer: " + stream.outcome().reason())
                : error);
      }
    } catch (InterruptedException e) {
      result.completeExceptionally(e);
    }
  }

  private TokenStream submit(Request request, boolean embedding) {
    check(request);
    QueuePlaces places = scheduler.places();
    String tenant = request.terms().tenant();
    places.take(tenant, TimeUnit.NANOSECONDS.toSeconds(scheduler.lastWaitNanos()));
    TokenStream stream = new TokenStream(this::cancelled);
    Waiting place =
        new Waiting(request, stream, System.nanoTime(), arrivals.getAndIncrement(), embedding);
    try {
      post(() -> scheduler.enqueue(place));
    } catch (IllegalStateException e) {
      places.give(tenant);
      throw e;
    }
    return stream;
  }

  private void cancelled(TokenStream stream) {
    inbox.add(() -> scheduler.cancel(stream, System.nanoTime()));
    wake();
  }

  private void check(Request request) {
    scheduler.pruning().check(request.prune(), request.prompt().length);
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
    Session session = request.session();
    if (session != null && !session.belongsTo(this)) {
      throw new IllegalArgumentException("the session belongs to another engine");
    }
    if (session != null && session.isClosed()) {
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

  /// A conversation from a file of [Session#save], with its keys and values.
  ///
  /// @param salt as for [#openSession(String)]
  /// @throws IOException where the file cannot be read, is damaged, or belongs to another model,
  ///   cache format or layout, in one sentence
  public Session loadSession(Path file, String salt) throws IOException {
    Session session = new Session(this, salt);
    SessionFile.Saved saved = SessionFile.read(file, fingerprint(), cache.layout(), contextTokens);
    BlockTable table = onCache((c, s) -> SessionFile.reserve(c, salt, saved));
    if (table == null) {
      throw new IOException(
          "the cache has no room for the %d tokens of %s; give it more memory"
              .formatted(saved.tokens().length, file));
    }
    boolean done = false;
    try {
      SessionFile.fill(file, saved, table, cache.storage(), cache.layout());
      done = true;
    } finally {
      boolean filled = done;
      onCache((c, s) -> s.adopt(session, table, filled ? saved.tokens() : null));
    }
    return session;
  }

  void saveSession(Session session, Path file) throws IOException {
    // A fork stands still while it is written, whatever the session does.
    Session copy = new Session(this, session.salt());
    BlockTable table = onCache((c, s) -> s.take(s.fork(session, copy)));
    if (table == null) {
      throw new IOException(
          "the session holds nothing that could be saved, or the cache has no block free for it");
    }
    if (table.pruned() != null || table.sharedTo() < table.length()) {
      onCache((c, s) -> s.adopt(copy, table, null));
      throw new IOException("the session was pruned; only whole conversations can be saved");
    }
    try {
      SessionFile.write(file, fingerprint(), copy.tokens(), table, cache);
    } finally {
      onCache((c, s) -> s.adopt(copy, table, null));
    }
  }

  /// Of the model as it was opened, for files and tiers.
  private String fingerprint() {
    String known = fingerprint;
    if (known == null) {
      known = ModelFingerprint.of(path, model.config(), cache.layout(), profile, arithmetic);
      fingerprint = known;
    }
    return known;
  }

  /// Runs a command on the engine's thread between two steps.
  <T extends @Nullable Object> T onCache(BiFunction<KvCache, SessionTables, T> command) {
    return ask(() -> command.apply(cache, scheduler.sessions()));
  }

  /// What the engine published last, at most some milliseconds ago while it is busy. Never waits.
  public EngineSnapshot snapshot() {
    return snapshot;
  }

  private EngineSnapshot takeSnapshot() {
    return new EngineSnapshot(
        scheduler.stats(),
        cache.stats(),
        cache.offloadStats(),
        clock.snapshot(),
        auditor.audits(),
        System.nanoTime());
  }

  /// What the engine is doing between two steps.
  public EngineStats stats() {
    return ask(scheduler::stats);
  }

  /// The state of the cache between two steps.
  public KvCacheStats cacheStats() {
    return ask(cache::stats);
  }

  /// A picture of the whole cache between two steps, down to each block.
  public CacheView cacheView(CacheView.Limits limits) {
    return ask(() -> cache.view(limits));
  }

  /// Forgets all cached prefixes of the device, unless requests run or wait; lower tiers keep
  /// theirs.
  ///
  /// @return blocks that became free; -1 where requests run or wait, and nothing is forgotten
  public int resetPrefixCache() {
    return ask(() -> {
      EngineStats now = scheduler.stats();
      return now.running() + now.waiting() > 0 ? -1 : cache.reset();
    });
  }

  /// What moved between the cache and the tiers below it; null where there are none.
  public @Nullable OffloadStats offloadStats() {
    return ask(cache::offloadStats);
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
    if (isRunning()) {
      post(() -> scheduler.sessions().forget(session));
    }
  }

  private <T extends @Nullable Object> T ask(Supplier<T> question) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    post(() -> {
      try {
        answer.complete(question.get());
      } catch (RuntimeException | Error e) {
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
    checkOpen();
    inbox.add(command);
    if ((closing || dead) && inbox.remove(command)) {
      // It came after the engine had looked for the last time.
      checkOpen();
    }
    wake();
  }

  private void checkOpen() {
    if (dead) {
      throw new IllegalStateException("the engine has failed and takes no more requests");
    }
    if (closing) {
      throw new IllegalStateException("the engine is closed");
    }
  }

  /// Whether the engine still works: false once it is closed, or has failed in a way that its steps
  /// cannot go on after.
  public boolean isRunning() {
    return !closing && !dead;
  }

  private void wake() {
    LockSupport.unpark(thread);
  }

  private void loop() {
    try {
      cache.adopt();
      work();
      drainInbox();
      scheduler.cancelAll(System.nanoTime());
    } catch (Throwable t) {
      LOG.log(System.Logger.Level.ERROR, "event=engine_died error=" + t, t);
      dead = true;
      drainInbox();
      scheduler.abandonAll(t, System.nanoTime());
    } finally {
      cache.close();
    }
  }

  private void work() {
    while (!closing) {
      drainInbox();
      if (!step() && inbox.isEmpty() && !closing) {
        snapshot = takeSnapshot();
        if (settled) {
          LockSupport.park(this);
        } else {
          LockSupport.parkNanos(this, STORE_PAUSE_NANOS);
        }
      } else if (System.nanoTime() - snapshot.takenNanos() > SNAPSHOT_NANOS) {
        snapshot = takeSnapshot();
      }
    }
  }

  /// One step. @return false where there was nothing to do
  private boolean step() {
    long begin = System.nanoTime();
    try {
      settled = cache.settle();
      Batch batch = scheduler.schedule(begin);
      if (batch.isEmpty()) {
        return false;
      }
      int sequences = batch.size();
      int tokens = batch.tokens();
      long scheduled = System.nanoTime();
      StepResult result = runner.run(batch);
      long computed = System.nanoTime();
      scheduler.update(batch, result, computed);
      auditor.look(computed);
      clock.record(sequences, tokens, begin, computed - scheduled);
    } catch (Throwable t) {
      LOG.log(System.Logger.Level.ERROR, "event=step_failed error=" + t, t);
      scheduler.failAll(t, System.nanoTime());
    }
    return true;
  }

  private void drainInbox() {
    for (Runnable command = inbox.poll(); command != null; command = inbox.poll()) {
      try {
        command.run();
      } catch (Throwable t) {
        LOG.log(System.Logger.Level.ERROR, "event=command_failed error=" + t, t);
      }
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
    model.close();
  }
}
