package io.kvasir.cli.eval;

import java.util.List;

/// All that was measured as one picture: what formats lose of the predictions, what formats and
/// policies lose of the facts, by bytes per token; and where in a text facts are lost.
final class EvalPicture {
  private static final double CELL = 26;
  private static final double MAP_LEFT = 70;
  private static final double GAP = 24;

  private EvalPicture() {}

  static String draw(List<FidelityRun.Result> fidelity, List<RecallRow> recall) {
    Svg svg = new Svg();
    double top = 0;
    ParetoPlot divergence =
        new ParetoPlot("KL divergence to an f32 cache, nats", "bytes per token", true);
    for (FidelityRun.Result result : fidelity) {
      divergence.add(result.name(), result.size().perToken(), result.figures().divergence().mean());
    }
    if (!divergence.isEmpty()) {
      divergence.draw(svg, top);
      top += ParetoPlot.HEIGHT;
    }
    ParetoPlot lost = new ParetoPlot("Facts not recalled, of all", "bytes per token held", false);
    for (RecallRow row : recall) {
      lost.add(row.name(), row.score().bytesPerToken(), 1 - row.score().share());
    }
    if (!lost.isEmpty()) {
      lost.draw(svg, top);
      top += ParetoPlot.HEIGHT + GAP;
      svg.text(MAP_LEFT, top, "start", "title", "Recall by depth (across) and length (down)");
      top += GAP;
    }
    for (RecallRow row : recall) {
      top = heatMap(svg, row, top);
    }
    return svg.document(ParetoPlot.WIDTH, Math.max(top, 40));
  }

  private static double heatMap(Svg svg, RecallRow row, double top) {
    svg.text(
        MAP_LEFT, top, "start", "tick", row.name() + ": " + Figures.percent(row.score().share()));
    double y = top + 8;
    for (int length : row.score().lengths()) {
      svg.text(MAP_LEFT - 6, y + CELL - 9, "end", "tick", String.valueOf(length));
      for (int band = 0; band < RecallRow.DEPTHS; band++) {
        double share = row.share(length, band);
        double x = MAP_LEFT + band * 2 * CELL;
        svg.box(x, y, 2 * CELL - 2, CELL - 2, colour(share));
        svg.text(x + CELL, y + CELL - 9, "middle", "tick", Figures.fixed(100 * share, 0));
      }
      y += CELL;
    }
    return y + GAP;
  }

  /// From red over yellow to green; grey where nothing was asked.
  static String colour(double share) {
    if (!Double.isFinite(share)) {
      return "#eeeeee";
    }
    double part = Math.clamp(share, 0, 1);
    int red = (int) Math.round(part < 0.5 ? 240 : 240 - 2 * (part - 0.5) * 110);
    int green = (int) Math.round(part < 0.5 ? 120 + 2 * part * 100 : 220);
    return Svg.format("#%02x%02x%02x", red, green, 120);
  }
}
