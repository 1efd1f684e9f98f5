package io.kvasir.cli.load;

import java.util.List;
import java.util.Map;

/// The report as one HTML file without scripts, fonts or pictures from elsewhere.
final class LoadPage {
  private static final int BINS = 120;
  private static final String STYLE =
      """
      <style>
      :root{color-scheme:light dark;--back:#fff;--text:#222;--soft:#666;--grid:#ddd;
      --c0:#0072b2;--c1:#c14f00;--c2:#00815b;--c3:#a83279}
      @media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#d0d7de;--soft:#a0a7ae;
      --grid:#30363d;--c0:#56b4e9;--c1:#ff8a4c;--c2:#2fd6a3;--c3:#ec8fc4}}
      body{background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif;
      max-width:56em;margin:2em auto;padding:0 1em}
      table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em .2em 0;text-align:right}
      td:first-child,th:first-child,.facts td{text-align:left;vertical-align:top}
      th{border-bottom:1px solid var(--grid);font-weight:600}
      svg{width:100%;max-width:46em;margin:.5em 0;display:block}text{fill:var(--text);font-size:12px}
      .title,.name{font-weight:600}.tick{fill:var(--soft)}.grid{stroke:var(--grid);fill:none}
      .line{fill:none;stroke-width:2}.line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}
      .line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}.name.c0{fill:var(--c0)}
      .name.c1{fill:var(--c1)}.name.c2{fill:var(--c2)}.name.c3{fill:var(--c3)}
      </style>
      """;

  private LoadPage() {}

  static String of(String title, LoadReport report, LoadSummary summary, List<Exchange> exchanges) {
    StringBuilder page = new StringBuilder(32_000);
    String shown = LinePlot.escaped(title);
    page.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    page.append("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    page.append(shown).append("</title>\n").append(STYLE).append("</head><body>\n<h1>");
    page.append(shown).append("</h1>\n<table class=\"facts\">\n");
    report
        .lines()
        .forEach((name, value) ->
            page.append("<tr><td>%s</td><td>%s</td></tr>%n".formatted(cell(name), cell(value))));
    page.append("</table>\n");
    percentiles(page, summary.latencies());
    page.append(
        new LinePlot("Answers begun and ended", "milliseconds (log scale)", true)
            .distribution("TTFT", summary.latency("ttft"))
            .distribution("E2E", summary.latency("e2e"))
            .draw());
    page.append(
        new LinePlot("Gaps between tokens", "milliseconds (log scale)", true)
            .distribution("ITL", summary.latency("itl"))
            .distribution("TPOT", summary.latency("tpot"))
            .draw());
    page.append(
        "<p>Heights are parts of all: where a line reaches 0.75, three of four took at most ");
    page.append("that long.</p>\n");
    timeline(page, exchanges);
    return page.append("</body></html>\n").toString();
  }

  private static String cell(String text) {
    return LinePlot.escaped(text.strip());
  }

  private static void percentiles(StringBuilder page, Map<String, Samples> latencies) {
    page.append("<table><tr><th>milliseconds</th><th>mean</th><th>p50</th><th>p90</th>");
    page.append("<th>p95</th><th>p99</th><th>max</th><th>values</th></tr>\n");
    latencies.forEach((name, samples) -> {
      page.append("<tr><td>").append(name).append("</td>");
      page.append("<td>").append(LoadReport.millis(Math.round(samples.mean()))).append("</td>");
      for (double percent : new double[] {50, 90, 95, 99, 100}) {
        page.append("<td>").append(LoadReport.millis(samples.percentile(percent))).append("</td>");
      }
      page.append("<td>").append(samples.count()).append("</td></tr>\n");
    });
    page.append("</table>\n");
  }

  private static void timeline(StringBuilder page, List<Exchange> exchanges) {
    long first = Long.MAX_VALUE;
    long last = Long.MIN_VALUE;
    for (Exchange exchange : exchanges) {
      first = Math.min(first, exchange.scheduledNanos());
      last = Math.max(last, exchange.endNanos());
    }
    if (first >= last) {
      return;
    }
    double width = (last - first) / 1e9 / BINS;
    double[] x = new double[BINS];
    double[] running = new double[BINS];
    double[] rate = new double[BINS];
    for (int i = 0; i < BINS; i++) {
      x[i] = (i + 0.5) * width;
    }
    for (Exchange exchange : exchanges) {
      double from = (exchange.sentNanos() - first) / 1e9;
      double to = (exchange.endNanos() - first) / 1e9;
      for (int i = bin(from, width); i <= bin(to, width); i++) {
        double covered = Math.min(to, (i + 1) * width) - Math.max(from, i * width);
        running[i] += Math.max(0, covered) / width;
      }
      for (int i = 0; i < exchange.events(); i++) {
        rate[bin((exchange.tokenNanos(i) - first) / 1e9, width)] += 1 / width;
      }
    }
    page.append(new LinePlot("Requests under way", "seconds", false).line("", x, running).draw());
    page.append(
        new LinePlot("Output tokens per second", "seconds", false).line("", x, rate).draw());
  }

  private static int bin(double seconds, double width) {
    return Math.clamp((int) (seconds / width), 0, BINS - 1);
  }
}
