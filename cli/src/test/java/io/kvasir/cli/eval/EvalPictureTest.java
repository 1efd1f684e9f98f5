package io.kvasir.cli.eval;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/// Pictures of results.
class EvalPictureTest {
  private static FidelityRun.Result result(String name, double bytes, double loss) {
    FidelityFigures.Divergence kl = new FidelityFigures.Divergence(loss, loss, loss, loss, loss);
    FidelityFigures figures = new FidelityFigures(10, kl, 1, 0, 20, new Interval(0, -0.1, 0.1));
    return new FidelityRun.Result(name, figures, new CacheSize(bytes, (long) (bytes * 10), 10));
  }

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void front_isWhatNoOtherBeats() {
    ParetoPlot plot = new ParetoPlot("t", "x", true);
    plot.add("a", 100, 0.5);
    plot.add("b", 200, 0.1);
    plot.add("worse than b", 250, 0.2);
    plot.add("c", 400, 0.01);
    plot.add("nothing lost", 800, 0);

    assertThat(plot.front().stream().map(ParetoPlot.Point::name)).containsExactly("a", "b", "c");
  }

  @Test
  void draw_isXmlWithAllPointsAndCells() throws Exception {
    RecallScore score = new RecallScore();
    RecallContext context = new RecallContext(100, List.of(), List.of());
    score.read(context, 100, 1000);
    score.answered(context, new Fact("word", "Tom", "river", 0.3), "River.");
    RecallRow row = new RecallRow("int4", "<&\"", 0.5, score, null);

    Document svg =
        parsed(
            EvalPicture.draw(
                List.of(result("f16", 4096, 1e-6), result("int4", 1152, 1e-2)), List.of(row)));

    assertThat(svg.getElementsByTagName("circle").getLength()).isEqualTo(3);
    assertThat(svg.getElementsByTagName("rect").getLength()).isEqualTo(8);
    assertThat(svg.getDocumentElement().getTextContent()).contains("int4 <&\": 100.00 %");
  }

  /// Names of points that lie close stand above each other.
  @Test
  void draw_pointsBesideEachOther_namesDoNotCover() throws Exception {
    ParetoPlot plot = new ParetoPlot("t", "x", false);
    List<String> names = List.of("first", "second", "third", "fourth");
    for (int i = 0; i < names.size(); i++) {
      plot.add(names.get(i), 1000 + i, 0.1);
    }
    plot.add("cheap", 100, 0.1);
    Svg svg = new Svg();
    plot.draw(svg, 0);
    NodeList texts =
        parsed(svg.document(ParetoPlot.WIDTH, ParetoPlot.HEIGHT)).getElementsByTagName("text");
    Set<Long> heights = new HashSet<>();
    for (int i = 0; i < texts.getLength(); i++) {
      if (names.contains(texts.item(i).getTextContent())) {
        heights.add(Math.round(Double.parseDouble(((Element) texts.item(i)).getAttribute("y"))));
      }
    }
    assertThat(heights).hasSize(names.size());
  }

  @Test
  void draw_nothing_isStillAPicture() throws Exception {
    assertThat(parsed(EvalPicture.draw(List.of(), List.of())).getDocumentElement().getTagName())
        .isEqualTo("svg");
  }

  @Test
  void colour_runsFromRedToGreen() {
    assertThat(EvalPicture.colour(0)).isEqualTo("#f07878");
    assertThat(EvalPicture.colour(1)).isEqualTo("#82dc78");
    assertThat(EvalPicture.colour(Double.NaN)).isEqualTo("#eeeeee");
  }
}
