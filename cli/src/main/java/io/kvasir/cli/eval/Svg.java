package io.kvasir.cli.eval;

import java.util.Locale;

/// The elements of a picture in SVG, added one after the other. Coordinates are pixels from the top
/// left corner.
final class Svg {
  private static final String STYLE =
      """
      <style>
      svg { font: 12px sans-serif; background: #fff; fill: #222; }
      .title { font-size: 15px; font-weight: bold; }
      .tick { fill: #666; font-size: 11px; }
      .grid { stroke: #ddd; }
      .front { stroke: #c60; fill: none; stroke-dasharray: 4 3; }
      .point { fill: #06c; }
      .best { fill: #c60; }
      </style>
      """;

  private final StringBuilder body = new StringBuilder();

  void text(double x, double y, String anchor, String kind, String text) {
    body.append(
        format(
            "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
            kind, x, y, anchor, escaped(text)));
  }

  void line(double x1, double y1, double x2, double y2) {
    body.append(format("<path class=\"grid\" d=\"M%.1f %.1fL%.1f %.1f\"/>%n", x1, y1, x2, y2));
  }

  /// @param path commands such as `M0 0L1 1`
  void path(String kind, String path) {
    body.append(format("<path class=\"%s\" d=\"%s\"/>%n", kind, path));
  }

  /// @param hint shown under the pointer
  void dot(double x, double y, String kind, String hint) {
    body.append(
        format(
            "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s</title></circle>%n",
            kind, x, y, escaped(hint)));
  }

  /// @param colour such as `#ff0000`
  void box(double x, double y, double width, double height, String colour) {
    body.append(
        format(
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>%n",
            x, y, width, height, colour));
  }

  String document(double width, double height) {
    return format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\">%n",
            width, height, width, height)
        + STYLE
        + body
        + "</svg>\n";
  }

  static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values).replace("\r\n", "\n");
  }

  private static String escaped(String text) {
    return text.replaceAll("\\p{Cntrl}", "?")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
