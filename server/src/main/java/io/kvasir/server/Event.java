package io.kvasir.server;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// An event of a stream.
///
/// @param name null where the form has no names
record Event(@Nullable String name, JsonNode data) {
  Event(JsonNode data) {
    this(null, data);
  }
}
