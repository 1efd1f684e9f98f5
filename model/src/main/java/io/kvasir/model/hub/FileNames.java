package io.kvasir.model.hub;

import java.util.Locale;
import java.util.regex.Pattern;

/// Decides whether a name that came from outside may become a path below a folder of ours.
final class FileNames {
  private static final int MAX_LENGTH = 1024;
  private static final int MAX_SEGMENT = 250;
  private static final Pattern DEVICE =
      Pattern.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?");
  private static final Pattern HASH = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

  private FileNames() {}

  /// True for a relative path with `/` between its segments that stays below its folder on every
  /// operating system: no empty, `.` or `..` segment, no backslash, colon, control character or
  /// name that Windows gives to a device.
  static boolean isSafe(String path) {
    if (path.isEmpty() || path.length() > MAX_LENGTH) {
      return false;
    }
    for (int i = 0; i < path.length(); i++) {
      char c = path.charAt(i);
      if (c < 0x20 || c == 0x7f || "\\:*?\"<>|".indexOf(c) >= 0) {
        return false;
      }
    }
    for (String segment : path.split("/", -1)) {
      if (segment.isEmpty()
          || segment.equals(".")
          || segment.equals("..")
          || segment.length() > MAX_SEGMENT
          || segment.endsWith(" ")
          || segment.endsWith(".")
          || DEVICE.matcher(segment.toLowerCase(Locale.ROOT)).matches()) {
        return false;
      }
    }
    return true;
  }

  /// True for a lower-case SHA-1 or SHA-256 in hexadecimal.
  static boolean isHash(String text) {
    return HASH.matcher(text).matches();
  }

  /// `path` shortened and without control characters, for messages.
  static String shown(String path) {
    String clean = path.replaceAll("\\p{Cntrl}", "?");
    return clean.length() > 120 ? clean.substring(0, 120) + "..." : clean;
  }
}
