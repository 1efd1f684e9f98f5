package io.kvasir.sim;

import io.kvasir.kvcache.eviction.EvictionPolicies;
import io.kvasir.kvcache.eviction.EvictionPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;

/// The policies that a simulation can run: those of the cache, a floor and a ceiling.
public final class SimulatedPolicies {
  /// Keeps nothing: the floor.
  public static final String NO_CACHE = "none";

  /// Knows the future: the ceiling.
  public static final String CLAIRVOYANT = "clairvoyant";

  /// What other policies are compared with.
  public static final String LRU = "lru";

  private SimulatedPolicies() {}

  /// All names, the floor first and the ceiling last.
  public static List<String> names() {
    List<String> names = new ArrayList<>();
    names.add(NO_CACHE);
    names.addAll(EvictionPolicies.names());
    names.add(CLAIRVOYANT);
    return names;
  }

  /// Whether this is the policy that the cache uses where none is asked for.
  public static boolean isDefault(String name) {
    return name.equals(EvictionPolicies.defaultName());
  }

  /// The policy called `name`.
  ///
  /// @throws IllegalArgumentException where there is none, with the names there are
  static EvictionPolicy.Factory named(String name, NextUse future, IntSupplier currentRequest) {
    return switch (name) {
      case NO_CACHE -> EvictionPolicies.named(LRU);
      case CLAIRVOYANT -> tree -> new ClairvoyantPolicy(tree, future, currentRequest);
      default -> EvictionPolicies.named(name);
    };
  }
}
