package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The parameters of a filter, test, method or function, written as one line of names: `name!` must
/// be given, `*` takes any further positional arguments and `**` any further named ones; a leading
/// `/` means that nothing can be given by name.
final class Signature {
  private final String owner;
  private final List<String> names = new ArrayList<>();
  private int required;
  private boolean positionalOnly;
  private boolean rest;
  private boolean keywordRest;

  Signature(String owner, String parameters) {
    this.owner = owner;
    for (String word : parameters.split(" ", -1)) {
      switch (word) {
        case "" -> {}
        case "/" -> positionalOnly = true;
        case "*" -> rest = true;
        case "**" -> keywordRest = true;
        default -> {
          boolean must = word.endsWith("!");
          names.add(must ? word.substring(0, word.length() - 1) : word);
          required = must ? names.size() : required;
        }
      }
    }
  }

  String owner() {
    return owner;
  }

  Bound bind(Arguments arguments) {
    List<Value> positional = arguments.positional();
    @Nullable Value[] values = new Value[names.size()];
    int given = Math.min(positional.size(), values.length);
    for (int i = 0; i < given; i++) {
      values[i] = positional.get(i);
    }
    if (positional.size() > values.length && !rest) {
      throw new TemplateException(
          "'"
              + owner
              + "' takes at most "
              + values.length
              + " arguments but was given "
              + positional.size());
    }
    Map<String, Value> others = new LinkedHashMap<>();
    for (Map.Entry<String, Value> keyword : arguments.keywords().entrySet()) {
      int index = positionalOnly ? -1 : names.indexOf(keyword.getKey());
      if (index >= 0 && values[index] == null) {
        values[index] = keyword.getValue();
      } else if (index < 0 && keywordRest) {
        others.put(keyword.getKey(), keyword.getValue());
      } else {
        throw new TemplateException(
            "'" + owner + "' does not take the argument '" + keyword.getKey() + "' here");
      }
    }
    for (int i = 0; i < required; i++) {
      if (values[i] == null) {
        throw new TemplateException("'" + owner + "' needs the argument '" + names.get(i) + "'");
      }
    }
    List<Value> further =
        positional.size() > values.length
            ? positional.subList(values.length, positional.size())
            : List.of();
    return new Bound(owner, names, values, further, others);
  }

  /// Arguments in the order of their parameters; null where one was not given.
  static final class Bound {
    private final String owner;
    private final List<String> names;
    private final @Nullable Value[] values;
    private final List<Value> rest;
    private final Map<String, Value> keywords;

    private Bound(
        String owner,
        List<String> names,
        @Nullable Value[] values,
        List<Value> rest,
        Map<String, Value> keywords) {
      this.owner = owner;
      this.names = names;
      this.values = values;
      this.rest = rest;
      this.keywords = keywords;
    }

    String owner() {
      return owner;
    }

    /// Positional arguments beyond the parameters.
    List<Value> rest() {
      return rest;
    }

    /// Named arguments beyond the parameters.
    Map<String, Value> keywords() {
      return keywords;
    }

    boolean has(int index) {
      return values[index] != null;
    }

    /// True where the argument was given and is not `None`.
    boolean present(int index) {
      return values[index] != null && values[index] != Value.None.NONE;
    }

    Value get(int index) {
      Value value = values[index];
      if (value == null) {
        throw new IllegalStateException("the argument " + index + " of " + owner + " is absent");
      }
      return value;
    }

    Value get(int index, Value fallback) {
      Value value = values[index];
      return value == null ? fallback : value;
    }

    int integer(int index, int fallback) {
      return has(index) ? Types.index(get(index), described(index)) : fallback;
    }

    boolean truth(int index, boolean fallback) {
      return has(index) ? Types.truth(get(index)) : fallback;
    }

    /// The text of a string argument.
    String text(int index) {
      return switch (get(index)) {
        case Str s -> s.text();
        case Value.Undefined u -> throw u.failure();
        case Value other ->
            throw new TemplateException(
                described(index) + " must be a string, not '" + Types.name(other) + "'");
      };
    }

    String text(int index, String fallback) {
      return has(index) ? text(index) : fallback;
    }

    private String described(int index) {
      return "the argument '" + names.get(index) + "' of '" + owner + "'";
    }
  }
}
