package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What one way to keep a text recalls of it.
///
/// @param format of keys and values
/// @param policy what drops tokens; empty for nothing
/// @param kept part of the tokens that it keeps
/// @param full what the whole f16 cache recalls, or null where that was not measured
public record RecallRow(
    String format, String policy, double kept, RecallScore score, @Nullable RecallScore full) {
  /// Bands of depth that are told apart.
  static final int DEPTHS = 8;

  String name() {
    return policy.isEmpty() ? format : format + " " + policy;
  }

  /// Part of what the whole f16 cache recalls; NaN where that was not measured.
  double shareOfFull() {
    return full == null || full.right() == 0 ? Double.NaN : score.share() / full.share();
  }

  /// Part of the facts of a length and a band of depth that were recalled.
  double share(int length, int band) {
    return score.share(length, (double) band / DEPTHS, (band + 1.0) / DEPTHS);
  }

  Json json() {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("kv_format", new Json.Str(format));
    fields.put("prune", policy.isEmpty() ? Json.Null.NULL : new Json.Str(policy));
    fields.put("kept", Figures.json(kept));
    fields.put("questions", new Json.Int(score.count()));
    fields.put("right", new Json.Int(score.right()));
    fields.put("recall", Figures.json(score.share()));
    fields.put("of_full", Figures.json(shareOfFull()));
    fields.put("lost", full == null ? Json.Null.NULL : new Json.Int(score.lost(full)));
    fields.put("gained", full == null ? Json.Null.NULL : new Json.Int(score.gained(full)));
    Interval change = full == null ? null : score.change(full);
    fields.put("change", Figures.json(change == null ? Double.NaN : change.value()));
    fields.put("change_low", Figures.json(change == null ? Double.NaN : change.low()));
    fields.put("change_high", Figures.json(change == null ? Double.NaN : change.high()));
    fields.put("one_question", Figures.json(1.0 / score.count()));
    fields.put("held_bytes_per_token", Figures.json(score.bytesPerToken()));
    List<Json> lengths = new ArrayList<>();
    for (int length : score.lengths()) {
      List<Json> bands = new ArrayList<>();
      for (int band = 0; band < DEPTHS; band++) {
        bands.add(Figures.json(share(length, band)));
      }
      Map<String, Json> one = new LinkedHashMap<>();
      one.put("tokens", new Json.Int(length));
      one.put("recall", Figures.json(score.share(length, 0, 1)));
      one.put("by_depth", new Json.Arr(bands));
      lengths.add(new Json.Obj(one));
    }
    fields.put("by_length", new Json.Arr(lengths));
    fields.put("missed", new Json.Arr(score.missed().stream().map(RecallRow::json).toList()));
    return new Json.Obj(fields);
  }

  private static Json json(RecallScore.Answer missed) {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("tokens", new Json.Int(missed.length()));
    fields.put("depth", Figures.json(missed.depth()));
    fields.put("statement", new Json.Str(missed.fact().statement()));
    fields.put("answer", new Json.Str(missed.text()));
    return new Json.Obj(fields);
  }
}
