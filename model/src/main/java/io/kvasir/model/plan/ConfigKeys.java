package io.kvasir.model.plan;

import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// The keys of a Hugging Face `config.json` under all the names that families give them, checked to
/// be of a size that a model can have.
final class ConfigKeys {
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_SIZE = 1 << 24;

  private final Json config;
  private final String modelType;

  /// @param root the document; of a multimodal model the text part is taken
  ConfigKeys(Json root) {
    if (!(root instanceof Json.Obj)) {
      throw new ModelFormatException("config.json is no JSON object");
    }
    Json text = root.get("text_config");
    config = text instanceof Json.Obj && text.has("hidden_size") ? text : root;
    String type = string("model_type", string(root, "model_type", ""));
    modelType = type.toLowerCase(Locale.ROOT).replaceFirst("_text$", "");
  }

  String modelType() {
    return modelType;
  }

  int layers() {
    int layers = size("num_hidden_layers", "n_layer", "num_layers", "n_layers");
    if (layers > MAX_LAYERS) {
      throw impossible("num_hidden_layers", layers);
    }
    return layers;
  }

  int width() {
    return size("hidden_size", "n_embd", "d_model");
  }

  int heads() {
    return size("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads");
  }

  int headDim() {
    int own = sizeOr(0, "head_dim", "kv_channels");
    return own > 0 ? own : Math.max(1, width() / heads());
  }

  int kvHeads() {
    boolean multiQueryFamily = modelType.equals("falcon") || modelType.equals("gpt_bigcode");
    if (multiQueryFamily && flag("multi_query", true) && !flag("new_decoder_architecture", false)) {
      return 1;
    }
    if (flag("multi_query_attention", false)) {
      return sizeOr(1, "multi_query_group_num");
    }
    return sizeOr(heads(), "num_key_value_heads", "num_kv_heads", "n_head_kv");
  }

  long contextLength() {
    return sizeOr(
        0,
        "max_position_embeddings",
        "n_positions",
        "n_ctx",
        "max_seq_len",
        "seq_length",
        "model_max_length");
  }

  /// The names of the layers' attention, empty where the configuration has no such list.
  List<String> layerTypes() {
    List<String> types = new ArrayList<>();
    try {
      for (Json type : config.get("layer_types").asList()) {
        types.add(type.asString());
      }
    } catch (JsonException e) {
      throw new ModelFormatException("layer_types in config.json: " + e.getMessage(), e);
    }
    if (!types.isEmpty() && types.size() != layers()) {
      throw new ModelFormatException(
          "config.json has "
              + types.size()
              + " layer_types for "
              + layers()
              + " layers (num_hidden_layers)");
    }
    return types;
  }

  /// A size that must be there and positive.
  int size(String... names) {
    int value = sizeOr(0, names);
    if (value == 0) {
      throw new ModelFormatException(
          "config.json has no " + names[0] + " (model_type '" + modelType + "')");
    }
    return value;
  }

  /// The first size among `names` that is there and not null, else `fallback`.
  int sizeOr(int fallback, String... names) {
    for (String name : names) {
      if (config.has(name)) {
        long value = integer(name);
        if (value < 0 || value > MAX_SIZE) {
          throw impossible(name, value);
        }
        return (int) value;
      }
    }
    return fallback;
  }

  private long integer(String name) {
    try {
      return config.get(name).asLong();
    } catch (JsonException e) {
      throw new ModelFormatException(name + " in config.json: " + e.getMessage(), e);
    }
  }

  boolean flag(String name, boolean fallback) {
    return config.get(name) instanceof Json.Bool(boolean value) ? value : fallback;
  }

  boolean has(String name) {
    return config.has(name);
  }

  String string(String name, String fallback) {
    return string(config, name, fallback);
  }

  Json get(String name) {
    return config.get(name);
  }

  private static String string(Json json, String name, String fallback) {
    return json.get(name) instanceof Json.Str(String value) ? value : fallback;
  }

  /// True where `value` is an item of the array `name`.
  boolean lists(String name, int value) {
    return config.get(name) instanceof Json.Arr(List<Json> items)
        && items.contains(new Json.Int(value));
  }

  private static ModelFormatException impossible(String name, long value) {
    return new ModelFormatException("config.json has an impossible " + name + ": " + value);
  }
}
