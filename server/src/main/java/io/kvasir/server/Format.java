package io.kvasir.server;

import io.kvasir.engine.grammar.GrammarException;
import io.kvasir.engine.grammar.UnsupportedSchemaException;
import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import io.kvasir.server.shape.Shape;
import io.kvasir.server.shape.Shapes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads what form an answer must have, as OpenAI's routes say it and as vLLM's words for guided
/// decoding do.
final class Format {
  private static final int MOST_CHOICES = 10_000;
  private static final List<String> FIELDS =
      List.of(
          "response_format", "guided_json", "guided_regex", "guided_choice", "structured_outputs");
  private static final Set<String> UNKNOWN = Set.of("grammar", "structural_tag");

  private final Shapes shapes;

  Format(Shapes shapes) {
    this.shapes = shapes;
  }

  /// The shape that chat and completion requests ask for, null for any text.
  @Nullable Shape of(Fields fields) {
    List<Shape> found = new ArrayList<>();
    Fields format = fields.object("response_format");
    if (format != null) {
      add(found, response("response_format", format, format.object("json_schema")));
    }
    add(found, json("guided_json", fields.get("guided_json")));
    add(found, regex("guided_regex", fields.text("guided_regex")));
    add(found, choice("guided_choice", fields, "guided_choice"));
    fields.refuse(Set.of("guided_grammar"));
    Fields outputs = fields.object("structured_outputs");
    if (outputs != null) {
      add(found, outputs(outputs));
    }
    if (found.size() > 1) {
      String last = FIELDS.stream().filter(fields::has).reduce("", (_, name) -> name);
      throw ApiException.field(
          last, "an answer can have one form, but %d are given".formatted(found.size()));
    }
    return found.isEmpty() ? null : found.getFirst();
  }

  private static void add(List<Shape> found, @Nullable Shape shape) {
    if (shape != null) {
      found.add(shape);
    }
  }

  private @Nullable Shape outputs(Fields outputs) {
    String field = "structured_outputs";
    for (String name : UNKNOWN) {
      if (outputs.has(name)) {
        throw ApiException.field(field, "'%s.%s' is not supported".formatted(field, name));
      }
    }
    List<Shape> found = new ArrayList<>();
    add(found, json(field, outputs.get("json")));
    add(found, regex(field, outputs.text("regex")));
    add(found, choice(field, outputs, "choice"));
    if (outputs.flag("json_object", false)) {
      found.add(shapes.jsonObject());
    }
    if (found.size() != 1) {
      throw ApiException.field(
          field, "'%s' must have one of json, regex, choice and json_object".formatted(field));
    }
    return found.getFirst();
  }

  /// A response format.
  ///
  /// @param schema where its schema stands
  @Nullable Shape response(String field, Fields format, @Nullable Fields schema) {
    String type = String.valueOf(format.text("type"));
    return switch (type) {
      case "text" -> null;
      case "json_object" -> compile(field, shapes::jsonObject);
      case "json_schema" -> {
        JsonNode node = schema == null ? null : schema.get("schema");
        if (node == null) {
          throw ApiException.field(field, "'%s' lacks its schema".formatted(field));
        }
        yield json(field, node);
      }
      default ->
          throw ApiException.field(
              field, "'%s' must be of type text, json_object or json_schema".formatted(field));
    };
  }

  private @Nullable Shape json(String field, @Nullable JsonNode schema) {
    if (schema == null) {
      return null;
    }
    if (!(schema instanceof ObjectNode) && !schema.isString() && !schema.isBoolean()) {
      throw Fields.wrong(field, "a JSON schema", schema);
    }
    try {
      Json parsed = Json.parse(schema.isString() ? schema.stringValue() : schema.toString());
      return compile(field, () -> shapes.jsonSchema(parsed));
    } catch (JsonException e) {
      throw ApiException.field(field, "the schema is no JSON: " + e.getMessage());
    }
  }

  private @Nullable Shape regex(String field, @Nullable String pattern) {
    return pattern == null ? null : compile(field, () -> shapes.regex(pattern));
  }

  private @Nullable Shape choice(String field, Fields fields, String name) {
    if (!fields.has(name)) {
      return null;
    }
    List<String> choices = fields.texts(name, MOST_CHOICES);
    return compile(field, () -> shapes.choice(choices));
  }

  /// Compiles, and tells the client what cannot be guaranteed.
  static Shape compile(String field, Supplier<Shape> shape) {
    try {
      return shape.get();
    } catch (UnsupportedSchemaException e) {
      throw new ApiException(
          400, String.valueOf(e.getMessage()), field, "unsupported_schema_keyword");
    } catch (GrammarException e) {
      throw ApiException.field(field, String.valueOf(e.getMessage()));
    }
  }
}
