package io.kvasir.model.template;

import io.kvasir.model.json.Json;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Turns JSON into values of the template language, and counts its characters.
final class JsonValues {
  private long characters;

  JsonValues() {}

  /// Characters of all strings converted so far, and eight for each other value.
  long characters() {
    return characters;
  }

  Value convert(Json json) {
    return convert(json, 0);
  }

  private Value convert(Json json, int depth) {
    if (depth > Limits.MAX_VALUE_DEPTH) {
      throw new TemplateException(
          "the input nests deeper than " + Limits.MAX_VALUE_DEPTH + " levels");
    }
    characters += 8;
    return switch (json) {
      case Json.Null n -> Value.None.NONE;
      case Json.Bool(boolean b) -> Value.Bool.of(b);
      case Json.Int(BigInteger i) -> new Value.Int(i);
      case Json.Real(double d) -> new Value.Real(d);
      case Json.Str(String s) -> {
        characters += s.length();
        yield new Str(s);
      }
      case Json.Arr(List<Json> items) -> {
        List<Value> values = new ArrayList<>(items.size());
        for (Json item : items) {
          values.add(convert(item, depth + 1));
        }
        yield Value.Sequence.list(values);
      }
      case Json.Obj(Map<String, Json> fields) -> {
        Dict dict = new Dict(fields.size());
        for (Map.Entry<String, Json> field : fields.entrySet()) {
          characters += field.getKey().length();
          dict.put(new Str(field.getKey()), convert(field.getValue(), depth + 1));
        }
        yield dict;
      }
    };
  }
}
