package io.kvasir.model.template;

import java.time.ZonedDateTime;
import java.time.format.TextStyle;
import java.time.temporal.IsoFields;
import java.util.Locale;

/// `strftime` in the C locale, for a clock time without zone: `%z` and `%Z` are empty, as for
/// Python's `datetime.now()`. After `%` may stand `-` (no padding), `_` (blanks), `0`, `^` (upper
/// case) or `#` (other case).
final class TimeFormat {
  private static final int MAX_FORMAT = 10_000;

  private final ZonedDateTime time;

  private TimeFormat(ZonedDateTime time) {
    this.time = time;
  }

  static String format(Rendering rt, String format) {
    if (format.length() > MAX_FORMAT) {
      throw new TemplateException(
          "a time format of " + format.length() + " characters is longer than " + MAX_FORMAT);
    }
    return new TimeFormat(rt.now()).expand(format);
  }

  private String expand(String format) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        out.append(c);
        continue;
      }
      int start = i;
      char flag = 0;
      c = format.charAt(++i);
      while ("-_0^#".indexOf(c) >= 0 && i + 1 < format.length()) {
        flag = c;
        c = format.charAt(++i);
      }
      String field = field(c, flag);
      out.append(
          field == null ? format.substring(start, i + 1) : c == 'p' ? field : cased(field, flag));
    }
    return out.toString();
  }

  private static String cased(String text, char flag) {
    return flag == '^' || flag == '#' ? text.toUpperCase(Locale.ROOT) : text;
  }

  private @org.jspecify.annotations.Nullable String field(char c, char flag) {
    return switch (c) {
      case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.SHORT, Locale.ENGLISH);
      case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
      case 'b', 'h' -> month().substring(0, 3);
      case 'B' -> month();
      case 'c' -> expand("%a %b %e %H:%M:%S %Y");
      case 'C' -> number(time.getYear() / 100, 2, '0', flag);
      case 'd' -> number(time.getDayOfMonth(), 2, '0', flag);
      case 'D', 'x' -> expand("%m/%d/%y");
      case 'e' -> number(time.getDayOfMonth(), 2, ' ', flag);
      case 'f' -> number(time.getNano() / 1000, 6, '0', (char) 0);
      case 'F' -> expand("%Y-%m-%d");
      case 'g' -> number(time.get(IsoFields.WEEK_BASED_YEAR) % 100, 2, '0', flag);
      case 'G' -> number(time.get(IsoFields.WEEK_BASED_YEAR), 4, '0', flag);
      case 'H' -> number(time.getHour(), 2, '0', flag);
      case 'I' -> number(hour12(), 2, '0', flag);
      case 'j' -> number(time.getDayOfYear(), 3, '0', flag);
      case 'k' -> number(time.getHour(), 2, ' ', flag);
      case 'l' -> number(hour12(), 2, ' ', flag);
      case 'm' -> number(time.getMonthValue(), 2, '0', flag);
      case 'M' -> number(time.getMinute(), 2, '0', flag);
      case 'n' -> "\n";
      case 'p' -> half(flag);
      case 'P' -> time.getHour() < 12 ? "am" : "pm";
      case 'r' -> expand("%I:%M:%S %p");
      case 'R' -> expand("%H:%M");
      case 's' -> Long.toString(time.toEpochSecond());
      case 'S' -> number(time.getSecond(), 2, '0', flag);
      case 't' -> "\t";
      case 'T', 'X' -> expand("%H:%M:%S");
      case 'u' -> Integer.toString(time.getDayOfWeek().getValue());
      case 'U' -> number((time.getDayOfYear() + 6 - weekday()) / 7, 2, '0', flag);
      case 'V' -> number(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2, '0', flag);
      case 'w' -> Integer.toString(weekday());
      case 'W' -> number((time.getDayOfYear() + 6 - (weekday() + 6) % 7) / 7, 2, '0', flag);
      case 'y' -> number(time.getYear() % 100, 2, '0', flag);
      case 'Y' -> Integer.toString(time.getYear());
      case 'z', 'Z' -> "";
      case '%' -> "%";
      default -> null;
    };
  }

  private String month() {
    return time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
  }

  /// Days since Sunday.
  private int weekday() {
    return time.getDayOfWeek().getValue() % 7;
  }

  private int hour12() {
    return (time.getHour() + 11) % 12 + 1;
  }

  private String half(char flag) {
    String text = time.getHour() < 12 ? "AM" : "PM";
    return flag == '#' ? text.toLowerCase(Locale.ROOT) : text;
  }

  private static String number(int value, int width, char fill, char flag) {
    String digits = Integer.toString(value);
    char padding = flag == '_' ? ' ' : flag == '0' ? '0' : fill;
    int missing = flag == '-' ? 0 : width - digits.length();
    return missing <= 0 ? digits : String.valueOf(padding).repeat(missing) + digits;
  }
}
