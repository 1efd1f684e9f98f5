package io.kvasir.model.plan;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads and writes byte sizes (`80GiB`) and token counts (`128k`).
public final class Sizes {
  private static final Pattern NUMBER_UNIT =
      Pattern.compile("([0-9]{1,18}(?:\\.[0-9]{1,9})?)\\s*([A-Za-z]*)");
  private static final Map<String, Long> BYTE_UNITS =
      Map.ofEntries(
          Map.entry("", 1L),
          Map.entry("b", 1L),
          Map.entry("k", 1L << 10),
          Map.entry("kib", 1L << 10),
          Map.entry("kb", 1_000L),
          Map.entry("m", 1L << 20),
          Map.entry("mib", 1L << 20),
          Map.entry("mb", 1_000_000L),
          Map.entry("g", 1L << 30),
          Map.entry("gib", 1L << 30),
          Map.entry("gb", 1_000_000_000L),
          Map.entry("t", 1L << 40),
          Map.entry("tib", 1L << 40),
          Map.entry("tb", 1_000_000_000_000L));
  private static final Map<String, Long> TOKEN_UNITS = Map.of("", 1L, "k", 1L << 10, "m", 1L << 20);
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private Sizes() {}

  /// Reads a byte size: `KiB`, `MiB`, `GiB`, `TiB` and the bare letters are powers of 1024, `KB`,
  /// `MB`, `GB`, `TB` powers of 1000; upper or lower case.
  ///
  /// @throws IllegalArgumentException naming the value
  public static long parseBytes(String text) {
    return parse(text, BYTE_UNITS, "is no size; write it as 80GiB, 512MiB, 80GB or in bytes");
  }

  /// Reads a token count: `k` is 1024, `m` is 1024 * 1024, so that `128k` is 131072.
  ///
  /// @throws IllegalArgumentException naming the value
  public static long parseTokens(String text) {
    return parse(text, TOKEN_UNITS, "is no token count; write it as 4096, 128k or 1m");
  }

  private static long parse(String text, Map<String, Long> units, String otherwise) {
    Matcher matcher = NUMBER_UNIT.matcher(text.strip());
    Long unit = matcher.matches() ? units.get(matcher.group(2).toLowerCase(Locale.ROOT)) : null;
    if (unit != null) {
      BigDecimal value = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(unit));
      BigDecimal whole = value.setScale(0, RoundingMode.DOWN);
      if (whole.signum() > 0 && whole.toBigInteger().bitLength() < 63) {
        return whole.longValueExact();
      }
    }
    String shown = text.length() > 40 ? text.substring(0, 40) + "..." : text;
    throw new IllegalArgumentException("'" + shown + "' " + otherwise);
  }

  /// `bytes` in the largest binary unit that leaves at least 1, with two digits after the point
  /// below 10, else one.
  public static String bytes(double bytes) {
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) {
      value /= 1024;
      unit++;
    }
    if (unit == 0) {
      return String.format(Locale.ROOT, value == Math.rint(value) ? "%.0f B" : "%.1f B", value);
    }
    return String.format(Locale.ROOT, value < 10 ? "%.2f %s" : "%.1f %s", value, UNITS[unit]);
  }

  /// The same for a whole number of bytes.
  public static String bytes(long bytes) {
    return bytes((double) bytes);
  }

  /// `tokens` with `k` or `m` where it is a whole number of them.
  public static String tokens(long tokens) {
    if (tokens >= 1 << 20 && tokens % (1 << 20) == 0) {
      return (tokens >> 20) + "m";
    }
    return tokens >= 1024 && tokens % 1024 == 0 ? (tokens >> 10) + "k" : Long.toString(tokens);
  }
}
