package io.kvasir.model.template;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The syntax tree of statements; `line` counts from 1.
sealed interface Stmt {
  int line();

  /// Template text, printed as it is.
  record Text(String text, int line) implements Stmt {}

  /// `{{ expression }}`.
  record Print(Expr expression, int line) implements Stmt {}

  record Assign(Target target, Expr value, int line) implements Stmt {}

  /// `{% set x | filters %} body {% endset %}`.
  record AssignBlock(Target target, List<Expr.FilterCall> filters, List<Stmt> body, int line)
      implements Stmt {}

  /// @param test the filter after `if`
  record For(
      Target target,
      Expr items,
      @Nullable Expr test,
      boolean recursive,
      List<Stmt> body,
      List<Stmt> otherwise,
      int line)
      implements Stmt {}

  record If(List<Branch> branches, List<Stmt> otherwise, int line) implements Stmt {}

  record Branch(Expr test, List<Stmt> body) {}

  record With(List<Target> targets, List<Expr> values, List<Stmt> body, int line) implements Stmt {}

  /// A macro, or the body of a call block (named `caller`).
  record Macro(
      String name, List<Parameter> parameters, Specials specials, List<Stmt> body, int line)
      implements Stmt {}

  record Parameter(String name, @Nullable Expr fallback) {}

  /// Which special names a macro's body mentions: only then does it accept such arguments.
  record Specials(boolean caller, boolean keywords, boolean positional) {}

  /// `{% call(parameters) call %} body {% endcall %}`.
  record CallBlock(Expr.Call call, Macro caller, int line) implements Stmt {}

  record FilterBlock(List<Expr.FilterCall> filters, List<Stmt> body, int line) implements Stmt {}

  /// @param scoped whether the body sees the loop variables around it
  record Block(String name, boolean scoped, List<Stmt> body, int line) implements Stmt {}

  record Autoescape(Expr enabled, List<Stmt> body, int line) implements Stmt {}

  /// `{% generation %}`: marks what the assistant said; renders its body in a scope of its own.
  record Generation(List<Stmt> body, int line) implements Stmt {}

  record Break(int line) implements Stmt {}

  record Continue(int line) implements Stmt {}

  /// A statement that needs other templates: `include`, `import`, `from`, `extends`.
  record Unavailable(String tag, int line) implements Stmt {}

  /// What a `set` or `for` assigns to.
  sealed interface Target {}

  record Variable(String name) implements Target {}

  /// `namespace.attribute`.
  record NamespaceAttribute(String namespace, String attribute) implements Target {}

  record Several(List<Target> targets) implements Target {}
}
