package io.kvasir.sim;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// The numbers that shape a made-up workload, by name, each with its default and limits.
final class WorkloadOptions {
  /// A number's default and limits.
  ///
  /// @param whole whether it must be a whole number
  record Range(double fallback, double least, double most, boolean whole) {
    static Range count(double fallback, double most) {
      return new Range(fallback, 1, most, true);
    }

    static Range real(double fallback, double least, double most) {
      return new Range(fallback, least, most, false);
    }
  }

  private final Map<String, Double> values = new LinkedHashMap<>();

  private WorkloadOptions() {}

  /// Reads `key=value` pairs that commas separate; empty for all defaults.
  static WorkloadOptions parse(String workload, String text, Map<String, Range> ranges) {
    WorkloadOptions options = new WorkloadOptions();
    ranges.forEach((key, range) -> options.values.put(key, range.fallback));
    if (text.isEmpty()) {
      return options;
    }
    for (String pair : text.split(",", -1)) {
      int equals = pair.indexOf('=');
      String key = equals < 0 ? pair : pair.substring(0, equals);
      Range range = ranges.get(key.strip());
      if (equals < 0 || range == null) {
        throw new TraceFormatException(
            "gen:%s has no setting '%s'; it has %s (key=value, separated by commas)"
                .formatted(workload, JsonLine.clip(key), String.join(", ", ranges.keySet())));
      }
      options.values.put(key.strip(), value(key.strip(), pair.substring(equals + 1), range));
    }
    return options;
  }

  private static double value(String key, String text, Range range) {
    double value;
    try {
      value = Double.parseDouble(text.strip());
    } catch (NumberFormatException e) {
      value = Double.NaN;
    }
    if (!(value >= range.least && value <= range.most)
        || range.whole && value != Math.rint(value)) {
      throw new TraceFormatException(
          String.format(
              Locale.ROOT,
              "'%s' must be a %snumber from %s to %s, not '%s'",
              key,
              range.whole ? "whole " : "",
              JsonLine.number(range.least),
              JsonLine.number(range.most),
              JsonLine.clip(text)));
    }
    return value;
  }

  int count(String key) {
    return (int) number(key);
  }

  double number(String key) {
    Double value = values.get(key);
    if (value == null) {
      throw new IllegalArgumentException("no setting '" + key + "'");
    }
    return value;
  }
}
