package io.kvasir.cli.load;

import java.util.Locale;

/// Numbers for people to read.
final class Numbers {
  private Numbers() {}

  /// About three digits, never an exponent.
  static String shown(double value) {
    double size = Math.abs(value);
    String format = size >= 99.95 || size == 0 ? "%.0f" : size >= 9.995 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, format, value);
  }

  static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f%%", 100 * share);
  }
}
