package io.kvasir.model.template;

import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;

/// The state of one rendering: its budget, clock, output and the line being worked on. Used by one
/// thread, once.
final class Rendering {
  private final Budget budget;
  private final ZonedDateTime now;
  private final Comparison comparison;
  private final Arithmetic arithmetic;
  private final Attributes attributes;
  private final Evaluator evaluator;
  private final Executor executor;
  private final Scope top;
  private int line;
  private boolean autoescape;

  Rendering(Limits limits, ZonedDateTime now, Map<String, Value> variables) {
    this.now = now;
    budget = new Budget(limits);
    comparison = new Comparison(budget);
    arithmetic = new Arithmetic(budget);
    attributes = new Attributes(budget);
    evaluator = new Evaluator(this);
    executor = new Executor(this);
    Scope globals = new Scope(null);
    Globals.define(globals);
    for (Map.Entry<String, Value> variable : variables.entrySet()) {
      globals.set(variable.getKey(), variable.getValue());
    }
    top = new Scope(globals);
  }

  String render(List<Stmt> statements) {
    StringBuilder out = new StringBuilder();
    try {
      executor.run(statements, top, out);
    } catch (TemplateException e) {
      throw e.at(line);
    } catch (StackOverflowError e) {
      // The depth limit stops recursion long before; a thread with a tiny stack ends here.
      throw new TemplateException("the template recurses deeper than this thread allows", line);
    }
    return out.toString();
  }

  /// Renders the body of a macro into a string of its own.
  ///
  /// @param before work of the callee that counts as part of the call
  Value renderMacro(List<Stmt> body, Scope scope, Runnable before) {
    budget.enter();
    int callLine = line;
    before.run();
    StringBuilder out = new StringBuilder();
    executor.run(body, scope, out);
    line = callLine;
    budget.leave();
    return new Str(out.toString(), autoescape);
  }

  Value evaluate(Expr expression, Scope scope) {
    return evaluator.evaluate(expression, scope);
  }

  Value call(Value callee, Arguments arguments) {
    budget.step();
    return switch (callee) {
      case Value.Callable callable -> callable.call(this, arguments);
      case Value.Undefined undefined -> throw undefined.failure();
      case Value other ->
          throw new TemplateException("'" + Types.name(other) + "' object is not callable");
    };
  }

  /// Applies the filter `name`; `input` comes before the arguments.
  Value filter(String name, Value input, Arguments arguments) {
    budget.steps(1 + scanned(input));
    return FilterTable.get(name).apply(this, input, arguments);
  }

  Value test(String name, Value input, Arguments arguments) {
    budget.steps(1 + scanned(input));
    return Value.Bool.of(TestTable.get(name).holds(this, input, arguments));
  }

  /// The steps that going through a string costs.
  private static int scanned(Value value) {
    return value instanceof Str str ? str.text().length() >> 6 : 0;
  }

  String str(Value value) {
    return Repr.str(value, budget);
  }

  /// A new string, counted.
  Str text(String text) {
    budget.characters(text.length());
    return new Str(text);
  }

  Budget budget() {
    return budget;
  }

  ZonedDateTime now() {
    return now;
  }

  Comparison comparison() {
    return comparison;
  }

  Arithmetic arithmetic() {
    return arithmetic;
  }

  Attributes attributes() {
    return attributes;
  }

  Evaluator evaluator() {
    return evaluator;
  }

  Executor executor() {
    return executor;
  }

  /// The scope of the statements that stand in nothing else.
  Scope top() {
    return top;
  }

  void at(int templateLine) {
    line = templateLine;
  }

  boolean autoescape() {
    return autoescape;
  }

  void autoescape(boolean enabled) {
    autoescape = enabled;
  }
}
