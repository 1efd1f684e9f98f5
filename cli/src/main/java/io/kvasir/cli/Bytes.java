package io.kvasir.cli;

import java.util.Locale;

/// Byte counts for people: `4.0 GiB`, and back.
final class Bytes {
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

  private Bytes() {}

  /// A count with one decimal in the largest unit that fits, such as `27.4 MiB`.
  static String text(long bytes) {
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
  }

  /// Reads a size such as `80GiB`, `4g`, `512MB` or `1073741824`; units are powers of 1024, and of
  /// 1000 where they are written `KB`, `MB`, `GB`, `TB`.
  ///
  /// @throws UsageException where the text is no size
  static long parse(String text) {
    String lower = text.strip().toLowerCase(Locale.ROOT);
    int end = 0;
    while (end < lower.length()
        && (Character.isDigit(lower.charAt(end)) || lower.charAt(end) == '.')) {
      end++;
    }
    long unit =
        switch (lower.substring(end).strip()) {
          case "", "b" -> 1L;
          case "k", "ki", "kib" -> 1L << 10;
          case "m", "mi", "mib" -> 1L << 20;
          case "g", "gi", "gib" -> 1L << 30;
          case "t", "ti", "tib" -> 1L << 40;
          case "kb" -> 1_000L;
          case "mb" -> 1_000_000L;
          case "gb" -> 1_000_000_000L;
          case "tb" -> 1_000_000_000_000L;
          default -> throw noSize(text);
        };
    double value;
    try {
      value = Double.parseDouble(lower.substring(0, end));
    } catch (NumberFormatException e) {
      throw noSize(text);
    }
    if (value * unit >= 0x1p62) {
      throw noSize(text);
    }
    return (long) (value * unit);
  }

  private static UsageException noSize(String text) {
    return new UsageException("'" + text + "' is no memory size; write it like 80GiB or 512MiB");
  }
}
