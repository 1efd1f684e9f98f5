package io.kvasir.engine;

import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.prune.LinearScorer;
import io.kvasir.kvcache.tier.OffloadConfig;
import io.kvasir.kvcache.tier.TierFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// How an [Engine] is set up.
///
/// @param contextTokens most tokens of a sequence, prompt and answer together; 0 for the model's
///   limit
/// @param blockTokens positions in a cache block: 16 to 128, a multiple of 16
/// @param kvFormat how keys and values are cached, by layer
/// @param cacheBytes memory for cache blocks; 0 for as much as one sequence of full length needs,
///   and more of them as far as `spareBytes` go
/// @param spareBytes where `cacheBytes` is 0, memory that may be taken for [#SPARE_SEQUENCES]
///   sequences of full length
/// @param stepTokens most tokens computed in one step over all sequences: longer prompts are cut
///   into chunks of this size, with decoding sequences in between
/// @param useCache false to compute every token's keys and values anew in every step, which is only
///   good for measuring what the cache saves
/// @param sharePrefixes whether a prompt uses what earlier and concurrent requests have computed of
///   its beginning
/// @param evictionPolicy name of the policy that chooses which cached prefix goes first
/// @param tiers where cached prefixes go below the device, from the nearest; may be empty
/// @param tierBytesPerSecond most bytes stored in tiers a second; 0 for no limit
/// @param sequences most requests that run at once
/// @param queueLimit most requests that wait for their start; more are refused with
///   [QueueFullException], but a tenant that has fewer than an eighth of them is let in
/// @param tenantWeights shares of tenants by name; 1 for those not named
/// @param auditNanos how often the cache's invariants are proven while requests run; 0 for never
/// @param keyProfiles where the means come from that some formats subtract from keys
/// @param pruneWeights what the pruning policy kvzap was trained to see in this model, or null
public record EngineConfig(
    int contextTokens,
    int blockTokens,
    KvRecipe kvFormat,
    long cacheBytes,
    long spareBytes,
    int stepTokens,
    boolean useCache,
    boolean sharePrefixes,
    String evictionPolicy,
    List<TierFactory> tiers,
    long tierBytesPerSecond,
    int sequences,
    int queueLimit,
    Map<String, Double> tenantWeights,
    long auditNanos,
    KeyProfiles keyProfiles,
    @Nullable LinearScorer pruneWeights) {

  /// For how many sequences of full length spare memory is taken at most.
  public static final int SPARE_SEQUENCES = 32;

  private static final long STAGED_DEVICE_BLOCKS = 256;
  private static final long MOST_STAGING_BYTES = 2L << 30;

  public static final EngineConfig DEFAULT =
      new EngineConfig(
          0,
          64,
          KvRecipe.of(KvFormat.F16),
          0,
          0,
          512,
          true,
          true,
          EvictionPolicies.defaultName(),
          List.of(),
          0,
          256,
          4_096,
          Map.of(),
          0,
          KeyProfiles.MEASURED,
          null);

  public EngineConfig {
    tiers = List.copyOf(tiers);
    tenantWeights = Map.copyOf(tenantWeights);
    if (contextTokens < 0) {
      throw new IllegalArgumentException("context of " + contextTokens + " tokens");
    }
    if (spareBytes < 0) {
      throw new IllegalArgumentException("spare memory of " + spareBytes + " bytes");
    }
    if (cacheBytes < 0) {
      throw new IllegalArgumentException("cache of " + cacheBytes + " bytes");
    }
    if (stepTokens < 1) {
      throw new IllegalArgumentException("steps of " + stepTokens + " tokens");
    }
    if (sequences < 1) {
      throw new IllegalArgumentException("at most " + sequences + " requests at once");
    }
    if (queueLimit < 1) {
      throw new IllegalArgumentException("a queue of " + queueLimit + " requests");
    }
    if (auditNanos < 0) {
      throw new IllegalArgumentException("an audit every " + auditNanos + " ns");
    }
    tenantWeights.forEach((name, weight) -> {
      if (!(weight > 0 && weight < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException("weight of tenant " + name + ": " + weight);
      }
    });
  }

  public EngineConfig withContextTokens(int value) {
    return with(draft -> draft.contextTokens = value);
  }

  public EngineConfig withBlockTokens(int value) {
    return with(draft -> draft.blockTokens = value);
  }

  public EngineConfig withKvFormat(KvRecipe value) {
    return with(draft -> draft.kvFormat = value);
  }

  public EngineConfig withCacheBytes(long value) {
    return with(draft -> draft.cacheBytes = value);
  }

  /// Where the size of the cache is not given, it may take so much memory.
  public EngineConfig withSpareBytes(long value) {
    return with(draft -> draft.spareBytes = value);
  }

  public EngineConfig withStepTokens(int value) {
    return with(draft -> draft.stepTokens = value);
  }

  public EngineConfig withoutCache() {
    return with(draft -> draft.useCache = false);
  }

  /// Every request computes its whole prompt.
  public EngineConfig withoutSharing() {
    return with(draft -> draft.sharePrefixes = false);
  }

  public EngineConfig withEvictionPolicy(String value) {
    return with(draft -> draft.evictionPolicy = value);
  }

  /// Cached prefixes go down to these tiers and come back from them.
  public EngineConfig withTiers(List<TierFactory> value) {
    return with(draft -> draft.tiers = value);
  }

  public EngineConfig withTierBytesPerSecond(long value) {
    return with(draft -> draft.tierBytesPerSecond = value);
  }

  /// At most this many requests run at once; a step has at most `stepTokens` of them.
  public EngineConfig withSequences(int value) {
    return with(draft -> draft.sequences = value);
  }

  public EngineConfig withQueueLimit(int value) {
    return with(draft -> draft.queueLimit = value);
  }

  public EngineConfig withTenantWeights(Map<String, Double> value) {
    return with(draft -> draft.tenantWeights = value);
  }

  /// Proves the cache's invariants this often while requests run; see [EngineSnapshot#audits].
  public EngineConfig withAuditEvery(Duration value) {
    return with(draft -> draft.auditNanos = value.toNanos());
  }

  public EngineConfig withKeyProfiles(KeyProfiles value) {
    return with(draft -> draft.keyProfiles = value);
  }

  /// Requests may be pruned by kvzap, which was trained for the model.
  public EngineConfig withPruneWeights(@Nullable LinearScorer value) {
    return with(draft -> draft.pruneWeights = value);
  }

  private EngineConfig with(Consumer<Draft> change) {
    Draft draft = new Draft(this);
    change.accept(draft);
    return draft.config();
  }

  /// The components as variables, so that each of them is listed once.
  private static final class Draft {
    private int contextTokens;
    private int blockTokens;
    private KvRecipe kvFormat;
    private long cacheBytes;
    private long spareBytes;
    private int stepTokens;
    private boolean useCache;
    private boolean sharePrefixes;
    private String evictionPolicy;
    private List<TierFactory> tiers;
    private long tierBytesPerSecond;
    private int sequences;
    private int queueLimit;
    private Map<String, Double> tenantWeights;
    private long auditNanos;
    private KeyProfiles keyProfiles;
    private @Nullable LinearScorer pruneWeights;

    Draft(EngineConfig from) {
      contextTokens = from.contextTokens;
      blockTokens = from.blockTokens;
      kvFormat = from.kvFormat;
      cacheBytes = from.cacheBytes;
      spareBytes = from.spareBytes;
      stepTokens = from.stepTokens;
      useCache = from.useCache;
      sharePrefixes = from.sharePrefixes;
      evictionPolicy = from.evictionPolicy;
      tiers = from.tiers;
      tierBytesPerSecond = from.tierBytesPerSecond;
      sequences = from.sequences;
      queueLimit = from.queueLimit;
      tenantWeights = from.tenantWeights;
      auditNanos = from.auditNanos;
      keyProfiles = from.keyProfiles;
      pruneWeights = from.pruneWeights;
    }

    EngineConfig config() {
      return new EngineConfig(
          contextTokens,
          blockTokens,
          kvFormat,
          cacheBytes,
          spareBytes,
          stepTokens,
          useCache,
          sharePrefixes,
          evictionPolicy,
          tiers,
          tierBytesPerSecond,
          sequences,
          queueLimit,
          tenantWeights,
          auditNanos,
          keyProfiles,
          pruneWeights);
    }
  }

  /// @param deviceBlockBytes of a device with memory of its own, which gives blocks up as fast as a
  ///   prompt is computed; 0 for others
  OffloadConfig offload(String fingerprint, long deviceBlockBytes) {
    OffloadConfig defaults = OffloadConfig.of(fingerprint);
    long staging = Math.min(MOST_STAGING_BYTES, STAGED_DEVICE_BLOCKS * deviceBlockBytes);
    int threads = Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, 8);
    return new OffloadConfig(
        fingerprint,
        Math.max(defaults.stagingBytes(), staging),
        tierBytesPerSecond,
        deviceBlockBytes == 0 ? defaults.threads() : Math.max(defaults.threads(), threads));
  }
}
