package io.kvasir.cli.load;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// What an answer must keep to be a good one, such as `ttft:500ms,itl:50ms`.
///
/// @param bounds all of which must hold
public record Slo(List<Bound> bounds) {
  public Slo {
    bounds = List.copyOf(bounds);
  }

  /// What is bounded.
  enum Measure {
    /// Time to first token.
    TTFT,
    /// The gaps between tokens: all but one in a hundred of the answer's.
    ITL,
    /// Mean time per token after the first.
    TPOT,
    /// To the end.
    E2E
  }

  record Bound(Measure measure, long nanos) {
    boolean holds(Exchange exchange) {
      return switch (measure) {
        case TTFT -> exchange.ttftNanos() <= nanos;
        case TPOT -> exchange.tpotNanos() <= nanos;
        case E2E -> exchange.e2eNanos() <= nanos;
        case ITL -> {
          Samples gaps = new Samples();
          exchange.addGaps(gaps);
          yield gaps.percentile(99) <= nanos;
        }
      };
    }
  }

  /// Reads bounds with commas between them; times in us, ms or s.
  ///
  /// @throws IllegalArgumentException where one is wrong
  public static Slo parse(String text) {
    List<Bound> bounds = new ArrayList<>();
    for (String part : text.split(",", -1)) {
      String[] sides = part.strip().split(":", 2);
      try {
        Measure measure = Measure.valueOf(sides[0].strip().toUpperCase(Locale.ROOT));
        bounds.add(new Bound(measure, nanos(sides.length < 2 ? "" : sides[1].strip())));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "a bound is ttft, itl, tpot or e2e, a colon and a time, such as ttft:500ms, not '%s'"
                .formatted(part.strip()),
            e);
      }
    }
    return new Slo(bounds);
  }

  private static long nanos(String time) {
    String number = time.replaceFirst("[a-z]+$", "");
    double unit =
        switch (time.substring(number.length())) {
          case "us" -> 1e3;
          case "ms" -> 1e6;
          case "s" -> 1e9;
          default -> throw new IllegalArgumentException(time);
        };
    double value = Double.parseDouble(number) * unit;
    if (!(value > 0 && value < 1e15)) {
      throw new IllegalArgumentException(time);
    }
    return Math.round(value);
  }

  /// Whether the answer came and keeps all bounds.
  boolean holds(Exchange exchange) {
    return exchange.isOk() && bounds.stream().allMatch(bound -> bound.holds(exchange));
  }

  @Override
  public String toString() {
    List<String> parts = new ArrayList<>();
    for (Bound bound : bounds) {
      String name = bound.measure.name().toLowerCase(Locale.ROOT);
      parts.add("%s <= %s ms".formatted(name, Numbers.shown(bound.nanos / 1e6)));
    }
    return String.join(", ", parts);
  }
}
