package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A macro, or the `caller` of a call block, with the scope it was defined in.
final class Macro implements Value.Callable {
  private final Stmt.Macro definition;
  private final Scope scope;
  private final boolean anonymous;

  /// @param anonymous true for the body of a call block
  Macro(Stmt.Macro definition, Scope scope, boolean anonymous) {
    this.definition = definition;
    this.scope = scope;
    this.anonymous = anonymous;
  }

  @Override
  public String typeName() {
    return "Macro";
  }

  @Override
  public String text() {
    return anonymous ? "<Macro 'caller'>" : "<Macro '" + definition.name() + "'>";
  }

  /// The attribute `name` of a macro value, or null.
  @org.jspecify.annotations.Nullable
  Value attribute(String name) {
    return switch (name) {
      case "name" -> new Str(definition.name());
      case "arguments" -> {
        List<Value> names = new ArrayList<>();
        for (Stmt.Parameter parameter : definition.parameters()) {
          names.add(new Str(parameter.name()));
        }
        yield Value.Sequence.tuple(names);
      }
      case "catch_kwargs" -> Value.Bool.of(definition.specials().keywords());
      case "catch_varargs" -> Value.Bool.of(definition.specials().positional());
      case "caller" -> Value.Bool.of(definition.specials().caller());
      default -> null;
    };
  }

  @Override
  public Value call(Rendering runtime, Arguments arguments) {
    Scope inner = new Scope(scope);
    List<Value> positional = arguments.positional();
    Map<String, Value> keywords = new LinkedHashMap<>(arguments.keywords());
    List<Stmt.Parameter> parameters = definition.parameters();
    boolean[] given = new boolean[parameters.size()];
    for (int i = 0; i < given.length; i++) {
      String name = parameters.get(i).name();
      Value value = i < positional.size() ? positional.get(i) : keywords.remove(name);
      if (value != null) {
        inner.set(name, value);
        given[i] = true;
      }
    }
    bindSpecials(inner, positional, keywords);
    return runtime.renderMacro(definition.body(), inner, () -> bindDefaults(runtime, inner, given));
  }

  private void bindDefaults(Rendering runtime, Scope inner, boolean[] given) {
    for (int i = 0; i < given.length; i++) {
      Stmt.Parameter parameter = definition.parameters().get(i);
      if (!given[i]) {
        inner.set(
            parameter.name(),
            parameter.fallback() == null
                ? Value.Undefined.because("parameter '" + parameter.name() + "' was not provided")
                : runtime.evaluate(parameter.fallback(), inner));
      }
    }
  }

  private void bindSpecials(Scope inner, List<Value> positional, Map<String, Value> keywords) {
    int count = definition.parameters().size();
    Stmt.Specials specials = definition.specials();
    if (specials.caller()) {
      Value caller = keywords.remove("caller");
      inner.set("caller", caller == null ? Value.Undefined.because("No caller defined") : caller);
    }
    if (specials.keywords()) {
      inner.set("kwargs", Dict.ofStrings(keywords));
    } else if (!keywords.isEmpty()) {
      throw new TemplateException(
          "the macro '"
              + definition.name()
              + "' takes no argument '"
              + keywords.keySet().iterator().next()
              + "'");
    }
    List<Value> further =
        positional.size() > count ? positional.subList(count, positional.size()) : List.of();
    if (specials.positional()) {
      inner.set("varargs", Value.Sequence.tuple(further));
    } else if (!further.isEmpty()) {
      throw new TemplateException(
          "the macro '" + definition.name() + "' takes at most " + count + " arguments");
    }
  }
}
