package io.kvasir.cli.eval;

import io.kvasir.kvcache.prune.PruneOptions;
import java.util.ArrayList;
import java.util.List;

/// Reads what is to be pruned: `POLICY:RATIO,RATIO`, or `all:RATIO,RATIO` for every policy.
///
/// @param options in the order of ratios, then of policies
/// @param all whether policies that cannot be used with a model are left out instead of failing
public record PruneChoice(List<PruneOptions> options, boolean all) {
  private static final String ALL = "all";

  public PruneChoice {
    options = List.copyOf(options);
  }

  /// @throws IllegalArgumentException naming what cannot be read, and the policies
  public static PruneChoice parse(String text) {
    int colon = text.indexOf(':');
    String policy = colon < 0 ? text : text.substring(0, colon);
    List<PruneOptions> options = new ArrayList<>();
    for (String ratio : text.substring(colon + 1).split(",", -1)) {
      if (colon < 0 || !policy.equals(ALL)) {
        options.add(PruneOptions.parse(colon < 0 ? text : policy + ":" + ratio));
        continue;
      }
      for (String name : PruneOptions.policies()) {
        options.add(PruneOptions.parse(name + ":" + ratio));
      }
    }
    return new PruneChoice(options, policy.equals(ALL));
  }
}
