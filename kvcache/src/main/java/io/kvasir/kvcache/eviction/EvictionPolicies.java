package io.kvasir.kvcache.eviction;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The eviction policies by name, as a configuration or a command line gives them.
public final class EvictionPolicies {
  private static final String DEFAULT = "adaptive";
  private static final Map<String, EvictionPolicy.Factory> FACTORIES = factories();

  private EvictionPolicies() {}

  /// The name of the policy that a cache uses where none is asked for.
  public static String defaultName() {
    return DEFAULT;
  }

  /// All names, in the order in which a comparison lists them.
  public static List<String> names() {
    return List.copyOf(FACTORIES.keySet());
  }

  /// The policy called `name`.
  ///
  /// @throws IllegalArgumentException where there is none, with the names there are
  public static EvictionPolicy.Factory named(String name) {
    EvictionPolicy.Factory factory = FACTORIES.get(name);
    if (factory == null) {
      throw new IllegalArgumentException(
          "There is no eviction policy \""
              + name
              + "\"; there are "
              + String.join(", ", FACTORIES.keySet())
              + ".");
    }
    return factory;
  }

  private static Map<String, EvictionPolicy.Factory> factories() {
    Map<String, EvictionPolicy.Factory> map = new LinkedHashMap<>();
    map.put("lru", LruPolicy::new);
    map.put("slru", SlruPolicy::new);
    map.put("s3-fifo", S3FifoPolicy::new);
    map.put("w-tinylfu", WTinyLfuPolicy::new);
    map.put("gdsf", GdsfPolicy::new);
    map.put("adaptive", AdaptivePolicy::new);
    return Collections.unmodifiableMap(map);
  }
}
