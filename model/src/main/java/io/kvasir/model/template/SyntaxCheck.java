package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Walks over the syntax tree: checks its depth and the names of filters and tests, and finds the
/// special names that a macro mentions.
///
/// An unknown filter is an error at once, except inside an `if`, where it may stand behind a check
/// such as `'x' is filter`; there it fails when it is reached.
final class SyntaxCheck {
  private final Set<String> names = new HashSet<>();
  private final boolean checkCalls;
  private int depth;

  /// Inside an `if` with no other scope between.
  private boolean guarded;

  private SyntaxCheck(boolean checkCalls) {
    this.checkCalls = checkCalls;
  }

  static void check(List<Stmt> statements) {
    new SyntaxCheck(true).statements(statements);
  }

  /// The special names that the body of a macro mentions and that are no parameters of it.
  static Stmt.Specials specials(List<Stmt.Parameter> parameters, List<Stmt> body, int line) {
    SyntaxCheck scan = new SyntaxCheck(false);
    scan.statements(body);
    Set<String> own = new HashSet<>();
    for (Stmt.Parameter parameter : parameters) {
      own.add(parameter.name());
      if (parameter.name().equals("caller")
          && parameter.fallback() == null
          && scan.names.contains("caller")) {
        throw new TemplateException("the parameter 'caller' of a macro needs a default", line);
      }
    }
    return new Stmt.Specials(
        scan.names.contains("caller") && !own.contains("caller"),
        scan.names.contains("kwargs") && !own.contains("kwargs"),
        scan.names.contains("varargs") && !own.contains("varargs"));
  }

  private void statements(List<Stmt> statements) {
    enter();
    for (Stmt statement : statements) {
      statement(statement);
    }
    depth--;
  }

  private void enter() {
    if (++depth > 3 * Limits.MAX_SYNTAX_DEPTH) {
      throw new TemplateException(
          "the template nests deeper than " + 3 * Limits.MAX_SYNTAX_DEPTH + " levels");
    }
  }

  /// Statements in a scope of their own, where an outer `if` guards nothing.
  private void scope(List<Stmt> statements) {
    boolean outer = guarded;
    guarded = false;
    statements(statements);
    guarded = outer;
  }

  private void statement(Stmt statement) {
    switch (statement) {
      case Stmt.Text t -> {}
      case Stmt.Print p -> expression(p.expression());
      case Stmt.Assign a -> expression(a.value());
      case Stmt.AssignBlock a -> {
        filters(a.filters());
        scope(a.body());
      }
      case Stmt.For f -> loop(f);
      case Stmt.If i -> branches(i);
      case Stmt.With w -> {
        w.values().forEach(this::expression);
        scope(w.body());
      }
      case Stmt.Macro m -> macro(m);
      case Stmt.CallBlock c -> {
        expression(c.call());
        macro(c.caller());
      }
      case Stmt.FilterBlock f -> {
        filters(f.filters());
        scope(f.body());
      }
      case Stmt.Block b -> scope(b.body());
      case Stmt.Autoescape a -> {
        expression(a.enabled());
        scope(a.body());
      }
      case Stmt.Generation g -> scope(g.body());
      case Stmt.Break b -> {}
      case Stmt.Continue c -> {}
      case Stmt.Unavailable u -> {}
    }
  }

  private void loop(Stmt.For loop) {
    expression(loop.items());
    if (loop.test() != null) {
      expression(loop.test());
    }
    scope(loop.body());
    scope(loop.otherwise());
  }

  private void branches(Stmt.If statement) {
    boolean outer = guarded;
    guarded = true;
    for (Stmt.Branch branch : statement.branches()) {
      expression(branch.test());
      statements(branch.body());
    }
    statements(statement.otherwise());
    guarded = outer;
  }

  private void macro(Stmt.Macro macro) {
    for (Stmt.Parameter parameter : macro.parameters()) {
      if (parameter.fallback() != null) {
        expression(parameter.fallback());
      }
    }
    scope(macro.body());
  }

  private void expression(Expr expression) {
    enter();
    switch (expression) {
      case Expr.Constant c -> {}
      case Expr.Variable(String name) -> names.add(name);
      case Expr.Conditional c -> {
        boolean outer = guarded;
        guarded = true;
        children(c).forEach(this::expression);
        guarded = outer;
      }
      case Expr.Filtered(Expr input, Expr.FilterCall filter) -> {
        expression(input);
        filters(List.of(filter));
      }
      case Expr.Tested(Expr input, Expr.FilterCall test) -> {
        expression(input);
        children(test.arguments()).forEach(this::expression);
        if (checkCalls && !guarded && !TestTable.has(test.name())) {
          throw TestTable.unknown(test.name()).at(test.line());
        }
      }
      default -> children(expression).forEach(this::expression);
    }
    depth--;
  }

  private void filters(List<Expr.FilterCall> filters) {
    for (Expr.FilterCall filter : filters) {
      children(filter.arguments()).forEach(this::expression);
      if (checkCalls && !guarded && !FilterTable.has(filter.name())) {
        throw FilterTable.unknown(filter.name()).at(filter.line());
      }
    }
  }

  private static List<Expr> children(Expr expression) {
    List<Expr> out = new ArrayList<>();
    switch (expression) {
      case Expr.Constant c -> {}
      case Expr.Variable v -> {}
      case Expr.Items i -> out.addAll(i.items());
      case Expr.Pairs p -> {
        for (Expr.Pair pair : p.pairs()) {
          out.add(pair.key());
          out.add(pair.value());
        }
      }
      case Expr.Attribute a -> out.add(a.object());
      case Expr.Subscript s -> out.addAll(List.of(s.object(), s.key()));
      case Expr.Slice s -> {
        out.add(s.object());
        addPresent(out, s.start(), s.stop(), s.step());
      }
      case Expr.Call c -> {
        out.add(c.callee());
        out.addAll(children(c.arguments()));
      }
      case Expr.Filtered f -> {
        out.add(f.input());
        out.addAll(children(f.filter().arguments()));
      }
      case Expr.Tested t -> {
        out.add(t.input());
        out.addAll(children(t.test().arguments()));
      }
      case Expr.Not n -> out.add(n.operand());
      case Expr.Signed s -> out.add(s.operand());
      case Expr.Binary b -> out.addAll(List.of(b.left(), b.right()));
      case Expr.Concatenation c -> out.addAll(c.parts());
      case Expr.Comparisons c -> {
        out.add(c.first());
        for (Expr.Operand operand : c.rest()) {
          out.add(operand.value());
        }
      }
      case Expr.Logical l -> out.addAll(List.of(l.left(), l.right()));
      case Expr.Conditional c -> {
        out.addAll(List.of(c.test(), c.then()));
        addPresent(out, c.otherwise());
      }
    }
    return out;
  }

  private static List<Expr> children(Expr.CallArguments arguments) {
    List<Expr> out = new ArrayList<>(arguments.positional());
    for (Expr.Keyword keyword : arguments.keywords()) {
      out.add(keyword.value());
    }
    addPresent(out, arguments.star(), arguments.doubleStar());
    return out;
  }

  private static void addPresent(
      List<Expr> out, @org.jspecify.annotations.Nullable Expr... expressions) {
    for (Expr expression : expressions) {
      if (expression != null) {
        out.add(expression);
      }
    }
  }
}
