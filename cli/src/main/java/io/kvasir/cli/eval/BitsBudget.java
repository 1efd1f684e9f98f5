package io.kvasir.cli.eval;

/// How much memory a probe may spend on cached keys and values: `auto:4.5` for bits per element,
/// scales included, or `auto:1200B` for bytes per token; `auto` is 4.5 bits.
///
/// @param bits per element, or 0
/// @param bytes per token, or 0
public record BitsBudget(double bits, double bytes) {
  private static final double DEFAULT_BITS = 4.5;

  /// @throws IllegalArgumentException naming the text
  public static BitsBudget parse(String name) {
    if (name.equals("auto")) {
      return new BitsBudget(DEFAULT_BITS, 0);
    }
    boolean ofBytes = name.endsWith("B") || name.endsWith("b");
    int end = name.length() - (ofBytes ? 1 : 0);
    try {
      double value = Double.parseDouble(name.substring("auto:".length(), end));
      if (value > 0 && value < 1e12) {
        return ofBytes ? new BitsBudget(0, value) : new BitsBudget(value, 0);
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new IllegalArgumentException(
        "cannot read '"
            + name
            + "' as a budget; write auto:4.5 for bits per element or auto:1200B for bytes per token");
  }

  /// Bytes per token.
  ///
  /// @param elements keys and values of a token, over all layers
  double bytesPerToken(long elements) {
    return bytes > 0 ? bytes : bits * elements / 8;
  }
}
