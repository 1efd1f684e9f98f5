package io.kvasir.cli.eval;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.model.json.Json;
import io.kvasir.model.plan.TextTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Everything that was measured, as tables for people and as one JSON document.
public final class EvalReport {
  private final Map<String, Json> head = new LinkedHashMap<>();
  private final List<FidelityRun.Result> fidelity = new ArrayList<>();
  private final List<RecallRow> recall = new ArrayList<>();
  private final List<AttentionError> errors = new ArrayList<>();
  private final Map<String, String> leftOut = new LinkedHashMap<>();
  private double rawBytes = Double.NaN;

  /// A fact about the model or the run.
  public void fact(String name, Json value) {
    head.put(name, value);
  }

  public void addFidelity(List<FidelityRun.Result> results) {
    fidelity.addAll(results);
    for (FidelityRun.Result result : results) {
      if (result.name().equals(KvFormat.F16.name())) {
        rawBytes = result.size().perToken();
      }
    }
  }

  public void addErrors(List<AttentionError> found) {
    errors.addAll(found);
  }

  /// Something that could not be measured, and why.
  public void leftOut(String name, String reason) {
    leftOut.put(name, reason);
  }

  public void addRecall(RecallRow row) {
    recall.add(row);
  }

  /// A picture in SVG.
  public String picture() {
    return EvalPicture.draw(fidelity, recall);
  }

  /// Aligned tables.
  public String text() {
    StringBuilder out = new StringBuilder();
    if (!fidelity.isEmpty()) {
      TextTable table =
          new TextTable(
              List.of(
                  "format",
                  "B/token",
                  "f16 /",
                  "B/token held",
                  "KL mean",
                  "median",
                  "99 %",
                  "99.9 %",
                  "max",
                  "same top",
                  "RMS dp",
                  "perplexity",
                  "change",
                  "95 % interval"));
      fidelity.forEach(result -> table.add(row(result)));
      table.append(out);
    }
    if (!errors.isEmpty()) {
      out.append(out.isEmpty() ? "" : "\n");
      errorTable().append(out);
    }
    if (!recall.isEmpty()) {
      out.append(out.isEmpty() ? "" : "\n");
      recallTable().append(out);
      RecallScore score = recall.getFirst().score();
      out.append(
          "%d questions about %d texts; one is %s. Lost, gained, change: against the whole f16 cache.\n"
              .formatted(score.count(), score.contexts(), Figures.percent(1.0 / score.count())));
    }
    if (recall.size() > 1) {
      out.append('\n');
      equalBytes().table().append(out);
    }
    leftOut.forEach((name, reason) -> out.append(name).append(": ").append(reason).append('\n'));
    return out.toString();
  }

  private TextTable errorTable() {
    List<String> head = new ArrayList<>(List.of("attention error", "all"));
    errors.getFirst().layers().forEach(layer -> head.add("layer " + layer.layer()));
    TextTable table = new TextTable(head);
    for (AttentionError error : errors) {
      List<String> cells =
          new ArrayList<>(List.of(error.format(), Figures.percent(error.meanOutput())));
      error.layers().forEach(layer -> cells.add(Figures.percent(layer.output())));
      table.add(cells);
    }
    return table;
  }

  private EqualBytes equalBytes() {
    return new EqualBytes(recall, recall.getFirst().score().bytesPerToken());
  }

  private TextTable recallTable() {
    List<Integer> lengths = recall.getFirst().score().lengths();
    List<String> head =
        new ArrayList<>(
            List.of(
                "recall",
                "kept",
                "B/token held",
                "right",
                "recall",
                "of full",
                "lost",
                "gained",
                "change",
                "95 % interval"));
    lengths.forEach(length -> head.add("at " + length));
    TextTable table = new TextTable(head);
    for (RecallRow row : recall) {
      RecallScore score = row.score();
      RecallScore full = row.full();
      List<String> cells =
          new ArrayList<>(
              List.of(
                  row.name(),
                  Figures.percent(row.kept()),
                  Figures.fixed(score.bytesPerToken(), 0),
                  score.right() + " of " + score.count(),
                  Figures.percent(score.share()),
                  Figures.percent(row.shareOfFull()),
                  full == null ? "-" : String.valueOf(score.lost(full)),
                  full == null ? "-" : String.valueOf(score.gained(full)),
                  full == null ? "-" : Figures.percent(score.change(full).value()),
                  full == null ? "-" : Figures.between(score.change(full))));
      lengths.forEach(length -> cells.add(Figures.percent(score.share(length, 0, 1))));
      table.add(cells);
    }
    return table;
  }

  private List<String> row(FidelityRun.Result result) {
    FidelityFigures figures = result.figures();
    FidelityFigures.Divergence kl = figures.divergence();
    Interval change = figures.perplexityChange();
    return List.of(
        result.name(),
        Figures.fixed(result.size().perToken(), 0),
        Figures.fixed(rawBytes / result.size().perToken(), 2),
        Figures.fixed(result.size().meanPerToken(), 0),
        Figures.scientific(kl.mean()),
        Figures.scientific(kl.median()),
        Figures.scientific(kl.p99()),
        Figures.scientific(kl.p999()),
        Figures.scientific(kl.max()),
        Figures.percent(figures.sameTop()),
        Figures.scientific(figures.rmsChange()),
        Figures.fixed(figures.perplexity(), 3),
        Figures.percent(change.value()),
        Figures.between(change));
  }

  /// One document.
  public Json json() {
    Map<String, Json> fields = new LinkedHashMap<>(head);
    if (!fidelity.isEmpty()) {
      fields.put("fidelity", new Json.Arr(fidelity.stream().map(this::json).toList()));
    }
    if (!errors.isEmpty()) {
      fields.put(
          "attention_error", new Json.Arr(errors.stream().map(AttentionError::json).toList()));
    }
    if (!recall.isEmpty()) {
      fields.put("recall", new Json.Arr(recall.stream().map(RecallRow::json).toList()));
    }
    if (recall.size() > 1) {
      fields.put("equal_bytes", equalBytes().json());
    }
    if (!leftOut.isEmpty()) {
      Map<String, Json> reasons = new LinkedHashMap<>();
      leftOut.forEach((name, reason) -> reasons.put(name, new Json.Str(reason)));
      fields.put("not_measured", new Json.Obj(reasons));
    }
    return new Json.Obj(fields);
  }

  private Json json(FidelityRun.Result result) {
    Map<String, Json> fields = new LinkedHashMap<>();
    CacheSize size = result.size();
    fields.put("kv_format", new Json.Str(result.name()));
    fields.put("bytes_per_token", Figures.json(size.perToken()));
    fields.put("f16_ratio", Figures.json(rawBytes / size.perToken()));
    fields.put("held_bytes_per_token", Figures.json(size.meanPerToken()));
    fields.put("held_at_tokens", new Json.Int(size.tokens()));
    fields.putAll(result.figures().json().asMap());
    return new Json.Obj(fields);
  }
}
