package io.kvasir.cli;

import io.kvasir.kvcache.prune.PruneOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The option that says which tokens are dropped from the cache.
final class PruneOption {
  @Option(
      names = "--prune",
      paramLabel = "POLICY:RATIO",
      description = {
        "Drop a part of the prompt's tokens from the cache once it is computed, for example",
        "kvzip:0.5 for half of them. The system message, the first and the newest tokens stay.",
        "quest:0.75 drops nothing: answers read a quarter of what is between first and newest."
      })
  private @Nullable String prune;

  /// What is asked for; [PruneOptions#NONE] where nothing is.
  PruneOptions options() {
    try {
      return prune == null ? PruneOptions.NONE : PruneOptions.parse(prune);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--prune: " + e.getMessage());
    }
  }
}
