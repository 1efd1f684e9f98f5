package io.kvasir.model.template;

/// A function of the language, or a method bound to its object.
///
/// @param typeName Python's name for its type
record Builtin(Signature signature, String typeName, Body body) implements Value.Callable {
  /// What the function does.
  interface Body {
    Value call(Rendering runtime, Signature.Bound arguments);
  }

  static Builtin function(String name, String parameters, Body body) {
    return new Builtin(new Signature(name, parameters), "function", body);
  }

  @Override
  public String text() {
    return "<" + typeName + " " + signature.owner() + ">";
  }

  @Override
  public Value call(Rendering runtime, Arguments arguments) {
    return body.call(runtime, signature.bind(arguments));
  }
}
