package io.kvasir.model.template;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Variables by name, with the scope around it. Loops, macros, `with`, `call`, `filter` and `set`
/// blocks open scopes; `if` does not. Assignments go to the innermost scope only.
final class Scope {
  private final @Nullable Scope outer;
  private @Nullable Map<String, Value> variables;

  Scope(@Nullable Scope outer) {
    this.outer = outer;
  }

  @Nullable Value get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Map<String, Value> own = scope.variables;
      if (own != null) {
        Value value = own.get(name);
        if (value != null) {
          return value;
        }
      }
    }
    return null;
  }

  void set(String name, Value value) {
    if (variables == null) {
      variables = new HashMap<>();
    }
    variables.put(name, value);
  }
}
