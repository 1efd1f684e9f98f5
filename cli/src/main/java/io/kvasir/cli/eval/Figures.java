package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import java.util.Locale;

/// Numbers as they are shown and written.
final class Figures {
  private Figures() {}

  /// A number, `null` where there is none.
  static Json json(double value) {
    return Double.isFinite(value) ? new Json.Real(value) : Json.Null.NULL;
  }

  /// Three significant digits, such as `1.23e-6`; 0 as `0`.
  static String scientific(double value) {
    return value == 0 ? "0" : String.format(Locale.ROOT, "%.2e", value).replace("e-0", "e-");
  }

  /// A part as a percentage, such as `98.52 %`.
  static String percent(double part) {
    return Double.isFinite(part) ? fixed(100 * part, 2) + " %" : "-";
  }

  /// The bounds of an interval of parts.
  static String between(Interval interval) {
    return percent(interval.low()) + " to " + percent(interval.high());
  }

  static String fixed(double value, int digits) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, "%." + digits + "f", value) : "-";
  }
}
