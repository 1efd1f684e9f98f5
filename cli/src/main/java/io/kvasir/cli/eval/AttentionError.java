package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a format does to the attention of each layer, given exact inputs to that layer: a wrong
/// rotation or a lost centre shows in one layer only.
public record AttentionError(String format, List<Layer> layers) {
  /// One layer's errors.
  ///
  /// @param layer number among the layers that keep keys and values
  /// @param output `||o - o^|| / ||o||` of the attention's outputs o
  /// @param logits root mean square of what is added to the logits, less each query's mean, which
  ///   the softmax ignores
  public record Layer(int layer, double output, double logits) {}

  /// Root mean square over layers of the output's error.
  double meanOutput() {
    double sum = 0;
    for (Layer layer : layers) {
      sum += layer.output() * layer.output();
    }
    return Math.sqrt(sum / layers.size());
  }

  Json json() {
    List<Json> rows = new ArrayList<>();
    for (Layer layer : layers) {
      Map<String, Json> fields = new LinkedHashMap<>();
      fields.put("layer", new Json.Int(layer.layer()));
      fields.put("output_error", Figures.json(layer.output()));
      fields.put("logit_noise", Figures.json(layer.logits()));
      rows.add(new Json.Obj(fields));
    }
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("kv_format", new Json.Str(format));
    fields.put("output_error", Figures.json(meanOutput()));
    fields.put("layers", new Json.Arr(rows));
    return new Json.Obj(fields);
  }
}
