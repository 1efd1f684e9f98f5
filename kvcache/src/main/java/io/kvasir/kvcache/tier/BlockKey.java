package io.kvasir.kvcache.tier;

/// The name of a block's content, the same in every process: the first 128 bits of a SHA-256 over
/// the model, the number format and layout, the salt, all tokens up to the end of the block, and
/// the layer group. Equal keys mean equal bytes.
public record BlockKey(long high, long low) implements Comparable<BlockKey> {

  /// 32 hexadecimal digits.
  public String hex() {
    return "%016x%016x".formatted(high, low);
  }

  @Override
  public int compareTo(BlockKey other) {
    int order = Long.compareUnsigned(high, other.high);
    return order != 0 ? order : Long.compareUnsigned(low, other.low);
  }
}
