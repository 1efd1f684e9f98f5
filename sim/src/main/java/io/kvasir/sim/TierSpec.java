package io.kvasir.sim;

/// A tier of a simulation.
///
/// @param name such as `host` or `disk`
/// @param blocks blocks that it holds
/// @param tokensPerSecond how fast it gives blocks back, counted in their tokens; infinite where it
///   is not to cost time
public record TierSpec(String name, int blocks, double tokensPerSecond) {
  public TierSpec {
    if (name.isBlank() || name.length() > 20) {
      throw new IllegalArgumentException("a tier's name has 1 to 20 characters: '" + name + "'");
    }
    if (blocks < 1) {
      throw new IllegalArgumentException(
          "tier '" + name + "' must hold at least one block: " + blocks);
    }
    if (!(tokensPerSecond > 0)) {
      throw new IllegalArgumentException(
          "tier '" + name + "' must load more than 0 tokens per second: " + tokensPerSecond);
    }
  }
}
