package io.kvasir.kvcache.prune;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The pruning policies by name, as a configuration or a command line gives them.
public final class TokenPruners {
  /// Tokens of an answer between two prunings, for policies that prune answers (R-KV, arXiv
  /// 2505.24133).
  static final int ANSWER_INTERVAL = 128;

  private static final Map<String, TokenPruner> ALL = all();

  private TokenPruners() {}

  /// All names, in the order in which a comparison lists them.
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /// The policy called `name`.
  ///
  /// @throws IllegalArgumentException where there is none, with the names there are
  public static TokenPruner named(String name) {
    TokenPruner pruner = ALL.get(name);
    if (pruner == null) {
      throw new IllegalArgumentException(
          "there is no pruning policy '"
              + name
              + "'; there are "
              + String.join(", ", PruneOptions.policies())
              + ", and none");
    }
    return pruner;
  }

  static void check(String name) {
    named(name);
  }

  private static Map<String, TokenPruner> all() {
    Map<String, TokenPruner> map = new LinkedHashMap<>();
    for (TokenPruner pruner :
        List.of(
            new WindowPruner(),
            new RandomPruner(),
            new SnapKvPruner(),
            new AdaKvPruner(),
            new KeyDiffPruner(),
            new ExpectedAttentionPruner(),
            new KvZipPruner(),
            new KvZapPruner(),
            new RkvPruner(),
            new H2oPruner(),
            new TovaPruner())) {
      map.put(pruner.name(), pruner);
    }
    return map;
  }
}
