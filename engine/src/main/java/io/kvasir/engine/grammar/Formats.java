package io.kvasir.engine.grammar;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The formats of strings that are guaranteed, as patterns. Each is the intersection of what RFCs
/// and common validators accept rather than all that an RFC allows: an e-mail address has no quoted
/// part, a time no leap second, a URI is one of `http` or `https`.
final class Formats {
  private static final String DATE =
      "(?:(?:[0-9]{4})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
          + "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
          + "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
          + "|(?:[02468][048]|[13579][26])00)-02-29)";
  private static final String TIME =
      "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?"
          + "(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])";
  private static final String OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  private static final String LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";

  private static final String GROUP = "[0-9a-fA-F]{1,4}";
  private static final String CLOCK =
      "T(?:[0-9]{1,3}H(?:[0-9]{1,3}M(?:[0-9]{1,3}S)?)?"
          + "|[0-9]{1,3}M(?:[0-9]{1,3}S)?|[0-9]{1,3}S)";
  private static final String DAYS =
      "(?:[0-9]{1,4}Y(?:[0-9]{1,3}M(?:[0-9]{1,4}D)?)?|[0-9]{1,3}M(?:[0-9]{1,4}D)?|[0-9]{1,4}D)";
  private static final String HOST = LABEL + "(?:\\." + LABEL + "){0,2}";
  private static final String PATH_CHARS = "[A-Za-z0-9_.~-]";

  private static final Map<String, String> PATTERNS =
      Map.of(
          "duration",
          "P(?:[0-9]{1,4}W|" + DAYS + "(?:" + CLOCK + ")?|" + CLOCK + ")",
          "hostname",
          HOST,
          "ipv6",
          "(?:"
              + GROUP
              + ":){7}"
              + GROUP
              + "|::(?:"
              + GROUP
              + "(?::"
              + GROUP
              + "){0,5})?|"
              + GROUP
              + "(?::"
              + GROUP
              + "){0,2}::"
              + GROUP
              + "(?::"
              + GROUP
              + "){0,3}",
          "uri",
          "https?://"
              + HOST
              + "(?::[1-9][0-9]{0,3})?(?:/"
              + PATH_CHARS
              + "{1,40}){0,8}/?"
              + "(?:\\?"
              + PATH_CHARS
              + "{1,20}="
              + PATH_CHARS
              + "{0,40})?",
          "date",
          DATE,
          "time",
          TIME,
          "date-time",
          DATE + "T" + TIME,
          "uuid",
          "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
          "ipv4",
          OCTET + "(?:\\." + OCTET + "){3}",
          "email",
          "[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,16}){0,1}@(?:"
              + LABEL
              + "\\.){1,2}[A-Za-z]{2,10}");

  private Formats() {}

  /// The pattern of the whole string, or `null` for an unknown format.
  static @Nullable String pattern(String format) {
    return PATTERNS.get(format);
  }
}
