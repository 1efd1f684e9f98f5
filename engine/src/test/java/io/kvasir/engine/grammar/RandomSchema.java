package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/// Makes schemas of the supported keywords at random, with local references that may be recursive.
final class RandomSchema {
  private static final List<String> PATTERNS =
      List.of("^[a-c]+$", "x", "^(ab|cd){1,3}$", "\\d", "^[^x]*$", "^é?\"[\\\\n]$");
  private static final List<String> NAMES = List.of("a", "ab", "b", "long name", "é", "q\"", "z");

  private final SplittableRandom random;

  RandomSchema(SplittableRandom random) {
    this.random = random;
  }

  Json next() {
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("allOf", new Json.Arr(List.of(schema(3))));
    fields.put("$defs", new Json.Obj(Map.of("d", schema(2))));
    return new Json.Obj(fields);
  }

  private Json schema(int depth) {
    Map<String, Json> fields = new LinkedHashMap<>();
    int kind = random.nextInt(depth > 0 ? 11 : 6);
    switch (kind) {
      case 0 -> type(fields, random.nextBoolean() ? "null" : "boolean");
      case 1 -> {
        type(fields, "integer");
        bounds(fields, false);
        if (random.nextInt(3) == 0) {
          fields.put("multipleOf", new Json.Int(1 + random.nextInt(12)));
        }
      }
      case 2 -> {
        type(fields, "number");
        bounds(fields, true);
      }
      case 3, 4 -> {
        type(fields, "string");
        if (random.nextBoolean()) {
          fields.put("pattern", new Json.Str(pick(PATTERNS)));
        }
        range(fields, "minLength", "maxLength", 6);
      }
      case 5 ->
          fields.put(
              "enum",
              new Json.Arr(
                  List.of(
                      new Json.Str(pick(NAMES)),
                      new Json.Int(random.nextInt(50)),
                      Json.Null.NULL)));
      case 6 -> array(fields, depth);
      case 7, 8 -> object(fields, depth);
      case 9 -> {
        List<Json> branches = new ArrayList<>();
        int count = 1 + random.nextInt(3);
        for (int i = 0; i < count; i++) {
          branches.add(schema(depth - 1));
        }
        fields.put(random.nextInt(4) == 0 ? "oneOf" : "anyOf", new Json.Arr(branches));
      }
      default -> fields.put("$ref", new Json.Str("#/$defs/d"));
    }
    if (kind != 10 && random.nextInt(8) == 0 && depth > 0) {
      fields.put("allOf", new Json.Arr(List.of(schema(depth - 1))));
    }
    return new Json.Obj(fields);
  }

  private void array(Map<String, Json> fields, int depth) {
    type(fields, "array");
    // References stand only within values, so that they cannot lead straight back.
    if (random.nextInt(3) == 0) {
      fields.put("prefixItems", new Json.Arr(List.of(schema(depth - 1), schema(depth - 1))));
    }
    if (random.nextInt(4) > 0) {
      fields.put("items", schema(depth - 1));
    }
    range(fields, "minItems", "maxItems", 4);
  }

  private void object(Map<String, Json> fields, int depth) {
    type(fields, "object");
    Map<String, Json> properties = new LinkedHashMap<>();
    List<Json> required = new ArrayList<>();
    int count = random.nextInt(4);
    for (int i = 0; i < count; i++) {
      String name = pick(NAMES);
      properties.put(name, schema(depth - 1));
      if (random.nextBoolean() && !required.contains(new Json.Str(name))) {
        required.add(new Json.Str(name));
      }
    }
    fields.put("properties", new Json.Obj(properties));
    fields.put("required", new Json.Arr(required));
    switch (random.nextInt(5)) {
      case 0 -> fields.put("additionalProperties", new Json.Bool(random.nextBoolean()));
      case 1 -> fields.put("additionalProperties", schema(depth - 1));
      case 2 -> fields.put("patternProperties", new Json.Obj(Map.of("^[ab]", schema(depth - 1))));
      default -> {}
    }
    if (random.nextInt(4) == 0) {
      range(fields, "minProperties", "maxProperties", 3);
    }
  }

  private void range(Map<String, Json> fields, String min, String max, int most) {
    int low = random.nextInt(most);
    if (random.nextBoolean()) {
      fields.put(min, new Json.Int(low));
    }
    if (random.nextBoolean()) {
      fields.put(max, new Json.Int(low + random.nextInt(most)));
    }
  }

  private void bounds(Map<String, Json> fields, boolean fractional) {
    double low = random.nextInt(-2000, 2000) / (fractional ? 8.0 : 1.0);
    double high = low + random.nextInt(3000) / (fractional ? 16.0 : 1.0);
    if (random.nextBoolean()) {
      fields.put(random.nextBoolean() ? "minimum" : "exclusiveMinimum", number(low, fractional));
    }
    if (random.nextBoolean()) {
      fields.put(random.nextBoolean() ? "maximum" : "exclusiveMaximum", number(high, fractional));
    }
  }

  private static Json number(double value, boolean fractional) {
    return fractional ? new Json.Real(value) : new Json.Int((long) value);
  }

  private static void type(Map<String, Json> fields, String type) {
    fields.put("type", new Json.Str(type));
  }

  private String pick(List<String> list) {
    return list.get(random.nextInt(list.size()));
  }
}
