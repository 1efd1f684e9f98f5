package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The tools of a request and what it says about their use.
///
/// @param named the tool that must be called, with [Choice#NAMED]
/// @param parallel whether an answer may call several
record Tools(List<Tool> all, Choice choice, @Nullable String named, boolean parallel) {
  static final Tools NONE = new Tools(List.of(), Choice.NONE, null, true);

  /// Whether tools are called.
  enum Choice {
    NONE,
    AUTO,
    REQUIRED,
    NAMED
  }

  /// A tool.
  ///
  /// @param parameters JSON Schema
  /// @param strict whether it is an error where the schema cannot be guaranteed
  record Tool(String name, @Nullable String description, Json parameters, boolean strict) {

    /// As templates expect it.
    Json json() {
      Map<String, Json> function = new LinkedHashMap<>();
      function.put("name", new Json.Str(name));
      if (description != null) {
        function.put("description", new Json.Str(description));
      }
      function.put("parameters", parameters);
      Map<String, Json> tool = new LinkedHashMap<>();
      tool.put("type", new Json.Str("function"));
      tool.put("function", new Json.Obj(function));
      return new Json.Obj(tool);
    }
  }

  Tools {
    all = List.copyOf(all);
  }

  /// Whether the model gets to see them.
  boolean areOffered() {
    return choice != Choice.NONE && !all.isEmpty();
  }

  /// Whether an answer must call one.
  boolean isForced() {
    return choice == Choice.REQUIRED || choice == Choice.NAMED;
  }

  /// Those that an answer may call.
  List<Tool> called() {
    return choice == Choice.NAMED
        ? all.stream().filter(tool -> tool.name().equals(named)).toList()
        : all;
  }

  Set<String> names() {
    return all.stream().map(Tool::name).collect(Collectors.toUnmodifiableSet());
  }

  Json json() {
    return new Json.Arr(all.stream().map(Tool::json).toList());
  }
}
