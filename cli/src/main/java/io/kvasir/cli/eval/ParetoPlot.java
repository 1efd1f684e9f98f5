package io.kvasir.cli.eval;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Points of cost and quality, with those marked that no other beats in both.
final class ParetoPlot {
  static final double WIDTH = 760;
  static final double HEIGHT = 340;
  private static final double LEFT = 70;
  private static final double RIGHT = 130;
  private static final double TOP = 36;
  private static final double BOTTOM = 48;

  /// One way to keep a cache.
  ///
  /// @param cost above 0
  /// @param loss the smaller the better
  record Point(String name, double cost, double loss) {}

  private final String title;
  private final String costAxis;
  private final boolean logarithmic;
  private final List<Point> points = new ArrayList<>();

  /// @param logarithmic whether the vertical axis is; points without loss are left out then
  ParetoPlot(String title, String costAxis, boolean logarithmic) {
    this.title = title;
    this.costAxis = costAxis;
    this.logarithmic = logarithmic;
  }

  void add(String name, double cost, double loss) {
    boolean drawable = logarithmic ? loss > 0 : loss >= 0;
    if (cost > 0 && Double.isFinite(cost) && drawable && Double.isFinite(loss)) {
      points.add(new Point(name, cost, loss));
    }
  }

  boolean isEmpty() {
    return points.isEmpty();
  }

  /// The points that no other beats in both, from the cheapest on.
  List<Point> front() {
    List<Point> sorted = new ArrayList<>(points);
    sorted.sort(Comparator.comparingDouble(Point::cost).thenComparingDouble(Point::loss));
    List<Point> front = new ArrayList<>();
    double best = Double.POSITIVE_INFINITY;
    for (Point point : sorted) {
      if (point.loss() < best) {
        front.add(point);
        best = point.loss();
      }
    }
    return front;
  }

  /// @param top where the picture begins
  void draw(Svg svg, double top) {
    Axis x = Axis.of(points.stream().mapToDouble(Point::cost).toArray(), true);
    Axis y = Axis.of(points.stream().mapToDouble(Point::loss).toArray(), logarithmic);
    svg.text(LEFT, top + 20, "start", "title", title);
    for (int i = 0; i <= 4; i++) {
      double part = i / 4.0;
      double height = top + HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
      double width = LEFT + part * (WIDTH - LEFT - RIGHT);
      svg.line(LEFT, height, WIDTH - RIGHT, height);
      svg.text(LEFT - 6, height + 4, "end", "tick", tick(y.value(part)));
      svg.text(width, top + HEIGHT - BOTTOM + 16, "middle", "tick", tick(x.value(part)));
    }
    svg.text((LEFT + WIDTH - RIGHT) / 2, top + HEIGHT - 12, "middle", "tick", costAxis);
    StringBuilder path = new StringBuilder();
    List<Point> front = front();
    for (Point point : front) {
      path.append(
          Svg.format(
              "%s%.1f %.1f", path.isEmpty() ? "M" : "L", left(point, x), down(point, y, top)));
    }
    svg.path("front", path.toString());
    List<Label> labels = new ArrayList<>();
    for (Point point : points) {
      double across = left(point, x);
      double height = down(point, y, top);
      String hint = point.name() + ": " + tick(point.cost()) + ", " + tick(point.loss());
      svg.dot(across, height, front.contains(point) ? "best" : "point", hint);
      Label label = Label.beside(across, height, point.name(), labels);
      labels.add(label);
      svg.text(label.left, label.base, "start", "tick", point.name());
    }
  }

  /// The name of a point, where it stands.
  private record Label(double left, double base, int letters) {
    /// Most lines from the point's own height, upwards and downwards by turns.
    private static final int FARTHEST = 8;

    private static final double LINE = 11;
    private static final double LETTER = 6;

    /// The nearest place where it covers no other, or beside its point where there is none near.
    static Label beside(double across, double height, String name, List<Label> others) {
      Label own = new Label(across + 7, height + 4, name.length());
      for (int i = 0; i <= FARTHEST; i++) {
        double shift = (i % 2 == 0 ? 1 : -1) * ((i + 1) / 2) * LINE;
        Label label = new Label(own.left, own.base - shift, own.letters);
        if (others.stream().noneMatch(label::covers)) {
          return label;
        }
      }
      return own;
    }

    boolean covers(Label other) {
      return Math.abs(base - other.base) < LINE
          && left < other.left + LETTER * other.letters
          && other.left < left + LETTER * letters;
    }
  }

  private static double left(Point point, Axis x) {
    return LEFT + x.part(point.cost()) * (WIDTH - LEFT - RIGHT);
  }

  private static double down(Point point, Axis y, double top) {
    return top + HEIGHT - BOTTOM - y.part(point.loss()) * (HEIGHT - TOP - BOTTOM);
  }

  private static String tick(double value) {
    boolean plain = value == 0 || value >= 0.01 && value < 1e6;
    return plain ? Figures.fixed(value, value >= 100 ? 0 : 2) : Figures.scientific(value);
  }

  private record Axis(double low, double high, boolean logarithmic) {
    static Axis of(double[] values, boolean logarithmic) {
      double low = Double.POSITIVE_INFINITY;
      double high = Double.NEGATIVE_INFINITY;
      for (double value : values) {
        double at = logarithmic ? Math.log10(value) : value;
        low = Math.min(low, at);
        high = Math.max(high, at);
      }
      double margin = Math.max(0.05 * (high - low), 1e-3);
      return new Axis(logarithmic ? low - margin : Math.min(0, low), high + margin, logarithmic);
    }

    double part(double value) {
      double at = logarithmic ? Math.log10(value) : value;
      return (at - low) / (high - low);
    }

    double value(double part) {
      double at = low + part * (high - low);
      return logarithmic ? Math.pow(10, at) : at;
    }
  }
}
