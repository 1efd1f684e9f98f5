package io.kvasir.cli;

import io.kvasir.engine.EngineConfig;
import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.resp.RespLimits;
import io.kvasir.kvcache.resp.RespTier;
import io.kvasir.kvcache.resp.RespTierConfig;
import io.kvasir.kvcache.tier.DiskTier;
import io.kvasir.kvcache.tier.DiskTierConfig;
import io.kvasir.kvcache.tier.HostTier;
import io.kvasir.kvcache.tier.Tier;
import io.kvasir.kvcache.tier.TierFactory;
import io.kvasir.model.plan.Sizes;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// Options that say how large the cache is, what it shares, and where it goes below the device.
final class CacheOptions {
  private static final String DEFAULT_DISK_BYTES = "10GiB";

  @Option(
      names = "--cache-memory",
      paramLabel = "SIZE",
      description =
          "Memory for the cache, for example 4GiB. Default: what one sequence of full length needs;"
              + " serve: up to 32 of them in a quarter of the free memory.")
  private @Nullable String cacheMemory;

  @Option(
      names = "--no-prefix-cache",
      description = "Compute every prompt whole, whatever was computed before.")
  private boolean noPrefixCache;

  @Option(
      names = "--eviction",
      paramLabel = "POLICY",
      description = "Which cached prefix goes first where room is needed; './kvasir sim' compares.")
  private @Nullable String eviction;

  @Option(
      names = "--host-cache",
      paramLabel = "SIZE",
      description = "Memory for prefixes that had to leave the cache.")
  private @Nullable String hostCache;

  @Option(
      names = "--disk-cache",
      paramLabel = "DIR",
      description = "Folder that keeps prefixes over restarts; several processes may use it.")
  private @Nullable Path diskCache;

  @Option(
      names = "--disk-cache-size",
      paramLabel = "SIZE",
      description = "Most bytes in that folder. Default: " + DEFAULT_DISK_BYTES + ".")
  private @Nullable String diskCacheSize;

  @Option(
      names = "--shared-cache",
      paramLabel = "URI",
      description =
          "Redis or Valkey server that keeps prefixes for many machines: redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DB].")
  private @Nullable String sharedCache;

  @Option(
      names = "--shared-cache-ca",
      paramLabel = "FILE",
      description = "Certificate of the authority that signed that server's, in PEM form.")
  private @Nullable Path sharedCacheCa;

  @Option(
      names = "--tier-rate",
      paramLabel = "SIZE",
      description = "Most bytes a second written to those places. Default: no limit.")
  private @Nullable String tierRate;

  /// The configuration with these options.
  EngineConfig applied(EngineConfig config) {
    EngineConfig result = config.withTiers(tiers());
    if (cacheMemory != null) {
      result = result.withCacheBytes(bytes("--cache-memory", cacheMemory));
    }
    if (noPrefixCache) {
      result = result.withoutSharing();
    }
    if (eviction != null) {
      result = result.withEvictionPolicy(policy(eviction));
    }
    if (tierRate != null) {
      result = result.withTierBytesPerSecond(bytes("--tier-rate", tierRate));
    }
    return result;
  }

  private static String policy(String name) {
    try {
      EvictionPolicies.named(name);
      return name;
    } catch (IllegalArgumentException e) {
      throw new UsageException("--eviction: " + e.getMessage());
    }
  }

  private List<TierFactory> tiers() {
    List<TierFactory> tiers = new ArrayList<>();
    if (hostCache != null) {
      long capacity = bytes("--host-cache", hostCache);
      tiers.add(
          (fingerprint, blockBytes) -> opened(() -> new HostTier(blockBytes, capacity, false)));
    }
    if (diskCache != null) {
      tiers.add(disk(diskCache));
    } else if (diskCacheSize != null) {
      throw new UsageException("--disk-cache-size needs --disk-cache DIR");
    }
    if (sharedCache != null) {
      tiers.add(shared(sharedCache));
    } else if (sharedCacheCa != null) {
      throw new UsageException("--shared-cache-ca needs --shared-cache URI");
    }
    return tiers;
  }

  private TierFactory disk(Path folder) {
    String size = diskCacheSize == null ? DEFAULT_DISK_BYTES : diskCacheSize;
    long capacity = bytes("--disk-cache-size", size);
    return (fingerprint, blockBytes) ->
        opened(() ->
            DiskTier.open(
                new DiskTierConfig(folder, Math.toIntExact(blockBytes), capacity, fingerprint)));
  }

  private TierFactory shared(String address) {
    URI uri;
    try {
      uri = new URI(address);
      // Checks the address before a model is read; the block size of 1 stands for the real one.
      RespTierConfig.of(uri, 1, "");
    } catch (URISyntaxException e) {
      throw new UsageException("--shared-cache is no address: " + e.getReason());
    } catch (IllegalArgumentException e) {
      throw new UsageException("--shared-cache: " + e.getMessage());
    }
    return (fingerprint, blockBytes) ->
        opened(() ->
            new RespTier(
                new RespTierConfig(
                    uri,
                    Math.toIntExact(blockBytes),
                    fingerprint,
                    sharedCacheCa,
                    RespLimits.DEFAULT)));
  }

  private interface Opening {
    Tier open() throws IOException;
  }

  private static Tier opened(Opening opening) {
    try {
      return opening.open();
    } catch (IOException | IllegalArgumentException e) {
      throw new FailureException(String.valueOf(e.getMessage()));
    }
  }

  private static long bytes(String option, String text) {
    try {
      return Sizes.parseBytes(text);
    } catch (IllegalArgumentException e) {
      throw new UsageException(option + ": " + e.getMessage());
    }
  }
}
