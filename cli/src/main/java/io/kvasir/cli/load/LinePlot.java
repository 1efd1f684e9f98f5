package io.kvasir.cli.load;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// Lines over a horizontal axis as an SVG picture that follows the page's colours.
final class LinePlot {
  private static final double WIDTH = 640;
  private static final double HEIGHT = 260;
  private static final double LEFT = 56;
  private static final double RIGHT = 16;
  private static final double TOP = 34;
  private static final double BOTTOM = 42;
  private static final int MOST_POINTS = 400;

  private final String title;
  private final String axis;
  private final boolean logarithmic;
  private final List<Line> lines = new ArrayList<>();

  private static final class Line {
    private final String name;
    private final double[] x;
    private final double[] y;

    Line(String name, double[] x, double[] y) {
      this.name = name;
      this.x = x;
      this.y = y;
    }
  }

  /// @param axis what the horizontal axis shows
  /// @param logarithmic whether that axis is
  LinePlot(String title, String axis, boolean logarithmic) {
    this.title = title;
    this.axis = axis;
    this.logarithmic = logarithmic;
  }

  /// Adds a line; `x` must not fall.
  LinePlot line(String name, double[] x, double[] y) {
    lines.add(new Line(name, x, y));
    return this;
  }

  /// Adds the part of samples that are not above x, x in milliseconds.
  LinePlot distribution(String name, Samples samples) {
    int points = Math.min(samples.count(), MOST_POINTS);
    double[] x = new double[points];
    double[] y = new double[points];
    for (int i = 0; i < points; i++) {
      y[i] = (i + 1.0) / points;
      x[i] = Math.max(1e-3, samples.percentile(100 * y[i]) / 1e6);
    }
    return line(name, x, y);
  }

  String draw() {
    double low = Double.MAX_VALUE;
    double high = -Double.MAX_VALUE;
    double top = 0;
    for (Line line : lines) {
      for (int i = 0; i < line.x.length; i++) {
        low = Math.min(low, position(line.x[i]));
        high = Math.max(high, position(line.x[i]));
        top = Math.max(top, line.y[i]);
      }
    }
    if (low > high) {
      return "<p>%s: nothing was measured.</p>".formatted(escaped(title));
    }
    high = Math.max(high, low + 1e-9);
    StringBuilder svg = new StringBuilder(4096);
    svg.append(
        format(
            "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">",
            WIDTH, HEIGHT, escaped(title)));
    text(svg, LEFT, 18, "start", title, "title");
    axes(svg, low, high, top);
    for (int i = 0; i < lines.size(); i++) {
      path(svg, lines.get(i), i, low, high, top);
    }
    return svg.append("</svg>\n").toString();
  }

  private double position(double x) {
    return logarithmic ? Math.log10(x) : x;
  }

  private void axes(StringBuilder svg, double low, double high, double top) {
    for (int i = 0; i <= 4; i++) {
      double part = i / 4.0;
      double y = HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
      svg.append(format("<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, y, WIDTH - RIGHT));
      text(svg, LEFT - 6, y + 4, "end", Numbers.shown(part * top), "tick");
      double value = low + part * (high - low);
      double x = LEFT + part * (WIDTH - LEFT - RIGHT);
      String label = Numbers.shown(logarithmic ? Math.pow(10, value) : value);
      text(svg, x, HEIGHT - BOTTOM + 16, i == 4 ? "end" : "middle", label, "tick");
    }
    text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", axis, "tick");
  }

  private void path(StringBuilder svg, Line line, int colour, double low, double high, double top) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < line.x.length; i++) {
      double x = LEFT + (position(line.x[i]) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
      double y = HEIGHT - BOTTOM - line.y[i] / Math.max(top, 1e-12) * (HEIGHT - TOP - BOTTOM);
      path.append(format("%s%.1f %.1f", path.isEmpty() ? "M" : "L", x, y));
    }
    svg.append(format("<path class=\"line c%d\" d=\"%s\"/>", colour, path));
    double x = WIDTH - RIGHT - 90 * (lines.size() - colour);
    text(svg, x + 86, 18, "end", line.name, "name c" + colour);
  }

  private static void text(
      StringBuilder svg, double x, double y, String anchor, String text, String kind) {
    svg.append(
        format(
            "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
            kind, x, y, anchor, escaped(text)));
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }

  static String escaped(String text) {
    return text.replaceAll("\\p{Cntrl}", "?")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
