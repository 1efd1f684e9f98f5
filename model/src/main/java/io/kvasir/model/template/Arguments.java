package io.kvasir.model.template;

import java.util.List;
import java.util.Map;

/// The evaluated arguments of one call; `keywords` are in the order written.
record Arguments(List<Value> positional, Map<String, Value> keywords) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  static Arguments of(Value... positional) {
    return new Arguments(List.of(positional), Map.of());
  }

  /// The arguments without the first `count` positional ones.
  Arguments from(int count) {
    return new Arguments(positional.subList(count, positional.size()), keywords);
  }
}
