package io.kvasir.cli.load;

import java.util.SplittableRandom;

/// How many tokens: always the same, or evenly spread between two bounds.
///
/// @param least at least 0
/// @param most included
public record Range(int least, int most) {
  public Range {
    if (least < 0 || most < least) {
      throw new IllegalArgumentException(
          "a length is N, or FROM-TO with FROM up to TO, not %d-%d".formatted(least, most));
    }
  }

  /// Reads `N` or `FROM-TO`.
  public static Range parse(String text) {
    String[] parts = text.strip().split("-", 2);
    try {
      int first = Integer.parseInt(parts[0]);
      return new Range(first, parts.length == 1 ? first : Integer.parseInt(parts[1]));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "a length is a whole number N, or FROM-TO, not '" + text + "'", e);
    }
  }

  int draw(SplittableRandom random) {
    return random.nextInt(least, most + 1);
  }
}
