package io.kvasir.sim;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/// Draws hit rates against the cache's size as an SVG picture, one line per policy, readable on
/// light and dark pages. The horizontal axis is logarithmic.
public final class HitRatePlot {
  private static final double WIDTH = 760;
  private static final double HEIGHT = 420;
  private static final double LEFT = 64;
  private static final double RIGHT = 150;
  private static final double TOP = 44;
  private static final double BOTTOM = 56;
  private static final double LABEL_GAP = 15;
  private static final int COLOURS = 8;
  private static final int TITLE_LENGTH = 100;

  /// Colours of lines on light and on dark pages, told apart by most eyes: after Okabe and Ito,
  /// "Color Universal Design" (2008), darker and lighter where the page asks for it.
  private static final String STYLE =
      """
      <style>
      .page{fill:#fff}.text{fill:#333}.grid{stroke:#ddd}.line{fill:none;stroke-width:2}
      .edge{stroke-dasharray:5 4}
      .c0{color:#555}.c1{color:#0072b2}.c2{color:#c14f00}.c3{color:#00815b}.c4{color:#a83279}
      .c5{color:#8a6d00}.c6{color:#3b3bb3}.c7{color:#7a4a21}
      .line,.dot{stroke:currentColor}.dot,.name{fill:currentColor}.name.chosen{font-weight:bold}
      .line.chosen{stroke-width:3.5}
      @media (prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#d0d7de}.grid{stroke:#30363d}
      .c0{color:#a0a7ae}.c1{color:#56b4e9}.c2{color:#ff8a4c}.c3{color:#2fd6a3}.c4{color:#ec8fc4}
      .c5{color:#f0d04a}.c6{color:#a5a5ff}.c7{color:#d9a273}}
      </style>
      """;

  private final String title;
  private final Map<String, List<ReplayResult>> lines = new LinkedHashMap<>();
  private final TreeSet<Integer> sizes = new TreeSet<>();
  private final double highest;
  private final StringBuilder svg = new StringBuilder();

  private HitRatePlot(String title, List<ReplayResult> results) {
    this.title = title.length() > TITLE_LENGTH ? title.substring(0, TITLE_LENGTH) + "..." : title;
    double most = 0;
    for (ReplayResult result : results) {
      lines.computeIfAbsent(result.config().policy(), p -> new ArrayList<>()).add(result);
      sizes.add(result.config().blocks());
      most = Math.max(most, result.totalHitRate());
    }
    // The next tenth above.
    highest = Math.clamp(Math.ceil(most * 10 + 1e-9) / 10, 0.1, 1);
  }

  /// The picture as the text of an SVG file. With tiers, hits of all tiers count.
  ///
  /// @throws IllegalArgumentException where there are no results
  public static String draw(String title, List<ReplayResult> results) {
    if (results.isEmpty()) {
      throw new IllegalArgumentException("there is nothing to draw");
    }
    return new HitRatePlot(title, results).draw();
  }

  private String draw() {
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                + "font-family=\"sans-serif\" font-size=\"13\">\n",
            WIDTH,
            HEIGHT));
    svg.append(STYLE);
    svg.append("<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
    text(LEFT, 24, "start", title);
    drawAxes();
    drawLines();
    return svg.append("</svg>\n").toString();
  }

  private void drawAxes() {
    int steps = highest > 0.5 ? 5 : (int) Math.round(highest * 10);
    for (int i = 0; i <= steps; i++) {
      double rate = highest * i / steps;
      double y = y(rate);
      svg.append(
          String.format(
              Locale.ROOT,
              "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n",
              LEFT,
              y,
              WIDTH - RIGHT));
      text(LEFT - 8, y + 4, "end", String.format(Locale.ROOT, "%.2f", rate));
    }
    double free = -1;
    for (int size : sizes) {
      double x = x(size);
      svg.append(
          String.format(
              Locale.ROOT, "<path class=\"grid\" d=\"M%.1f %.1fv5\"/>\n", x, HEIGHT - BOTTOM));
      String label = String.format(Locale.ROOT, "%,d", size);
      if (x - 4 * label.length() > free) {
        text(x, HEIGHT - BOTTOM + 20, "middle", label);
        free = x + 4 * label.length();
      }
    }
    text(
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 14,
        "middle",
        "blocks in the cache (log scale); vertical: hit rate");
  }

  private record Label(String policy, int colour, double y) {}

  private void drawLines() {
    List<Label> labels = new ArrayList<>();
    int colour = 1;
    for (Map.Entry<String, List<ReplayResult>> line : lines.entrySet()) {
      String policy = line.getKey();
      List<ReplayResult> points =
          line.getValue().stream()
              .sorted(Comparator.comparingInt(result -> result.config().blocks()))
              .toList();
      boolean edge = isEdge(policy);
      int own = edge ? 0 : colour++ % COLOURS;
      drawLine(points, own, edge ? "edge" : SimulatedPolicies.isDefault(policy) ? "chosen" : "");
      labels.add(new Label(policy, own, y(points.getLast().totalHitRate())));
    }
    labels.sort(Comparator.comparingDouble(Label::y));
    drawLabels(labels);
  }

  private static boolean isEdge(String policy) {
    return policy.equals(SimulatedPolicies.NO_CACHE)
        || policy.equals(SimulatedPolicies.CLAIRVOYANT);
  }

  private void drawLine(List<ReplayResult> points, int colour, String kind) {
    StringBuilder path = new StringBuilder();
    StringBuilder dots = new StringBuilder();
    for (ReplayResult point : points) {
      double x = x(point.config().blocks());
      double y = y(point.totalHitRate());
      path.append(String.format(Locale.ROOT, "%s%.1f %.1f", path.isEmpty() ? "M" : "L", x, y));
      dots.append(
          String.format(
              Locale.ROOT,
              "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>",
              colour,
              x,
              y));
    }
    svg.append(
        String.format(
            Locale.ROOT, "<path class=\"line c%d %s\" d=\"%s\"/>%s\n", colour, kind, path, dots));
  }

  /// Names beside the lines' ends, moved apart where they would cover each other.
  private void drawLabels(List<Label> labels) {
    double[] at = new double[labels.size()];
    for (int i = 0; i < at.length; i++) {
      at[i] = i == 0 ? labels.get(0).y : Math.max(labels.get(i).y, at[i - 1] + LABEL_GAP);
    }
    // What was pushed below the picture comes back up, pushing its neighbours.
    double lowest = HEIGHT - BOTTOM;
    for (int i = at.length - 1; i >= 0; i--) {
      at[i] = Math.min(at[i], lowest);
      lowest = at[i] - LABEL_GAP;
    }
    for (int i = 0; i < at.length; i++) {
      Label label = labels.get(i);
      boolean chosen = SimulatedPolicies.isDefault(label.policy);
      svg.append(
          String.format(
              Locale.ROOT,
              "<text class=\"name c%d %s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
              label.colour,
              chosen ? "chosen" : "",
              WIDTH - RIGHT + 10,
              at[i] + 4,
              escaped(label.policy + (chosen ? " (default)" : ""))));
    }
  }

  private double x(int size) {
    double low = Math.log(sizes.first());
    double high = Math.log(sizes.last());
    double part = high > low ? (Math.log(size) - low) / (high - low) : 0.5;
    return LEFT + 12 + (WIDTH - LEFT - RIGHT - 24) * part;
  }

  private double y(double rate) {
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / highest;
  }

  private void text(double x, double y, String anchor, String text) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text class=\"text\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
            x,
            y,
            anchor,
            escaped(text)));
  }

  private static String escaped(String text) {
    return text.replaceAll("\\p{Cntrl}", "?")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;");
  }
}
