package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// Runs statements by walking their tree, appending what they print.
final class Executor {
  /// How a statement ended.
  private enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  private final Rendering runtime;
  private final Budget budget;

  Executor(Rendering runtime) {
    this.runtime = runtime;
    this.budget = runtime.budget();
  }

  void run(List<Stmt> statements, Scope scope, StringBuilder out) {
    runAll(statements, scope, out);
  }

  private Flow runAll(List<Stmt> statements, Scope scope, StringBuilder out) {
    budget.enter();
    Flow flow = Flow.NEXT;
    for (int i = 0; i < statements.size() && flow == Flow.NEXT; i++) {
      budget.step();
      flow = runOne(statements.get(i), scope, out);
    }
    budget.leave();
    return flow;
  }

  private Flow runOne(Stmt statement, Scope scope, StringBuilder out) {
    runtime.at(statement.line());
    switch (statement) {
      case Stmt.Text(String text, int line) -> append(out, text);
      case Stmt.Print(Expr expression, int line) -> print(out, evaluate(expression, scope));
      case Stmt.Assign(Stmt.Target target, Expr value, int line) -> assign(target, value, scope);
      case Stmt.AssignBlock a -> {
        return assignBlock(a, scope);
      }
      case Stmt.For f -> {
        return forLoop(f, scope, out);
      }
      case Stmt.If i -> {
        return ifChain(i, scope, out);
      }
      case Stmt.With w -> {
        return with(w, scope, out);
      }
      case Stmt.Macro m -> scope.set(m.name(), new Macro(m, scope, false));
      case Stmt.CallBlock c -> print(out, callBlock(c, scope));
      case Stmt.FilterBlock f -> {
        StringBuilder inner = new StringBuilder();
        Flow flow = runAll(f.body(), new Scope(scope), inner);
        if (flow != Flow.NEXT) {
          return flow;
        }
        print(out, filtered(captured(inner), f.filters(), scope));
      }
      case Stmt.Block b -> {
        runAll(b.body(), new Scope(b.scoped() ? scope : runtime.top()), out);
      }
      case Stmt.Autoescape a -> {
        return autoescape(a, scope, out);
      }
      case Stmt.Generation g -> runAll(g.body(), new Scope(scope), out);
      case Stmt.Break b -> {
        return Flow.BREAK;
      }
      case Stmt.Continue c -> {
        return Flow.CONTINUE;
      }
      case Stmt.Unavailable u ->
          throw new TemplateException(
              "'" + u.tag() + "' is not available: a chat template stands alone", u.line());
    }
    return Flow.NEXT;
  }

  private Value evaluate(Expr expression, Scope scope) {
    return runtime.evaluate(expression, scope);
  }

  private void print(StringBuilder out, Value value) {
    if (runtime.autoescape()) {
      append(out, Html.escaped(value, budget).text());
    } else {
      append(out, runtime.str(value));
    }
  }

  private void append(StringBuilder out, String text) {
    long length = (long) out.length() + text.length();
    if (length > budget.limits().outputCharacters()) {
      throw new TemplateException(
          "the template prints more than " + budget.limits().outputCharacters() + " characters");
    }
    budget.characters(text.length());
    out.append(text);
  }

  private Str captured(StringBuilder out) {
    return new Str(out.toString(), runtime.autoescape());
  }

  private Value filtered(Value value, List<Expr.FilterCall> filters, Scope scope) {
    Value result = value;
    for (Expr.FilterCall filter : filters) {
      result = runtime.evaluator().filter(result, filter, scope);
    }
    return result;
  }

  private void assign(Stmt.Target target, Expr expression, Scope scope) {
    requireNamespaces(target, scope);
    store(target, evaluate(expression, scope), scope);
  }

  private void requireNamespaces(Stmt.Target target, Scope scope) {
    switch (target) {
      case Stmt.NamespaceAttribute a -> namespace(a, scope);
      case Stmt.Several(List<Stmt.Target> targets) -> {
        for (Stmt.Target each : targets) {
          requireNamespaces(each, scope);
        }
      }
      case Stmt.Variable v -> {}
    }
  }

  private static Value.Namespace namespace(Stmt.NamespaceAttribute target, Scope scope) {
    if (scope.get(target.namespace()) instanceof Value.Namespace namespace) {
      return namespace;
    }
    throw new TemplateException(
        "'" + target.namespace() + "' is no namespace, so its attributes cannot be set");
  }

  private void store(Stmt.Target target, Value value, Scope scope) {
    switch (target) {
      case Stmt.Variable(String name) -> scope.set(name, value);
      case Stmt.NamespaceAttribute a -> namespace(a, scope).attributes().put(a.attribute(), value);
      case Stmt.Several(List<Stmt.Target> targets) -> unpack(targets, value, scope);
    }
  }

  private void unpack(List<Stmt.Target> targets, Value value, Scope scope) {
    if (!Iteration.isIterable(value)) {
      throw new TemplateException("cannot unpack non-iterable " + Types.name(value) + " object");
    }
    Iterator<Value> items = Iteration.of(value);
    List<Value> values = new ArrayList<>(targets.size());
    while (items.hasNext()) {
      if (values.size() == targets.size()) {
        throw new TemplateException("too many values to unpack (expected " + targets.size() + ")");
      }
      values.add(items.next());
    }
    if (values.size() < targets.size()) {
      throw new TemplateException(
          "not enough values to unpack (expected "
              + targets.size()
              + ", got "
              + values.size()
              + ")");
    }
    for (int i = 0; i < values.size(); i++) {
      store(targets.get(i), values.get(i), scope);
    }
  }

  private Flow assignBlock(Stmt.AssignBlock block, Scope scope) {
    StringBuilder inner = new StringBuilder();
    Flow flow = runAll(block.body(), new Scope(scope), inner);
    if (flow == Flow.NEXT) {
      requireNamespaces(block.target(), scope);
      store(block.target(), filtered(captured(inner), block.filters(), scope), scope);
    }
    return flow;
  }

  private Flow ifChain(Stmt.If statement, Scope scope, StringBuilder out) {
    for (Stmt.Branch branch : statement.branches()) {
      if (Types.truth(evaluate(branch.test(), scope))) {
        return runAll(branch.body(), scope, out);
      }
    }
    return statement.otherwise().isEmpty() ? Flow.NEXT : runAll(statement.otherwise(), scope, out);
  }

  private Flow with(Stmt.With with, Scope scope, StringBuilder out) {
    Scope inner = new Scope(scope);
    List<Value> values = new ArrayList<>();
    for (Expr value : with.values()) {
      values.add(evaluate(value, scope));
    }
    for (int i = 0; i < values.size(); i++) {
      store(with.targets().get(i), values.get(i), inner);
    }
    return runAll(with.body(), inner, out);
  }

  private Flow autoescape(Stmt.Autoescape statement, Scope scope, StringBuilder out) {
    boolean outer = runtime.autoescape();
    runtime.autoescape(Types.truth(evaluate(statement.enabled(), scope)));
    Flow flow = runAll(statement.body(), new Scope(scope), out);
    runtime.autoescape(outer);
    return flow;
  }

  private Value callBlock(Stmt.CallBlock block, Scope scope) {
    Value callee = evaluate(block.call().callee(), scope);
    Arguments arguments = runtime.evaluator().arguments(block.call().arguments(), scope);
    Map<String, Value> keywords = new LinkedHashMap<>(arguments.keywords());
    keywords.put("caller", new Macro(block.caller(), scope, true));
    return runtime.call(callee, new Arguments(arguments.positional(), keywords));
  }

  private Flow forLoop(Stmt.For loop, Scope scope, StringBuilder out) {
    Value items = evaluate(loop.items(), scope);
    if (!loop.recursive()) {
      return iterate(loop, items, null, 0, scope, out);
    }
    print(out, recurse(loop, items, 0, scope));
    return Flow.NEXT;
  }

  private Value recurse(Stmt.For loop, Value items, int depth0, Scope scope) {
    budget.enter();
    StringBuilder out = new StringBuilder();
    Loop.Recursion again = (inner, depth) -> recurse(loop, inner, depth, scope);
    iterate(loop, items, again, depth0, scope, out);
    budget.leave();
    return captured(out);
  }

  private Flow iterate(
      Stmt.For statement,
      Value items,
      Loop.@Nullable Recursion recursion,
      int depth0,
      Scope scope,
      StringBuilder out) {
    Iterator<Value> iterator = Iteration.of(items);
    int length = Types.length(items);
    if (statement.test() != null) {
      iterator = new Selected(iterator, statement.target(), statement.test(), scope);
      length = -1;
    }
    Loop loop = new Loop(iterator, length, recursion, depth0);
    boolean ran = false;
    while (true) {
      Value item = loop.advance();
      if (item == null) {
        break;
      }
      budget.step();
      Scope inner = new Scope(scope);
      inner.set("loop", loop);
      store(statement.target(), item, inner);
      Flow flow = runAll(statement.body(), inner, out);
      // An item that ends in break or continue does not count: as in Jinja, `else` may still run.
      ran |= flow == Flow.NEXT;
      if (flow == Flow.BREAK) {
        break;
      }
    }
    return ran || statement.otherwise().isEmpty()
        ? Flow.NEXT
        : runAll(statement.otherwise(), new Scope(scope), out);
  }

  /// The items of a loop that pass its `if`, found one ahead.
  private final class Selected implements Iterator<Value> {
    private final Iterator<Value> items;
    private final Stmt.Target target;
    private final Expr test;
    private final Scope scope;
    private @Nullable Value next;

    Selected(Iterator<Value> items, Stmt.Target target, Expr test, Scope scope) {
      this.items = items;
      this.target = target;
      this.test = test;
      this.scope = scope;
    }

    @Override
    public boolean hasNext() {
      while (next == null && items.hasNext()) {
        budget.step();
        Value item = items.next();
        Scope inner = new Scope(scope);
        store(target, item, inner);
        if (Types.truth(evaluate(test, inner))) {
          // Several targets pass the item on as a tuple of what they were assigned.
          next =
              target instanceof Stmt.Several
                  ? Value.Sequence.tuple(Iteration.list(item, budget))
                  : item;
        }
      }
      return next != null;
    }

    @Override
    public Value next() {
      Value item = next;
      if (item == null && hasNext()) {
        item = next;
      }
      next = null;
      if (item == null) {
        throw new NoSuchElementException();
      }
      return item;
    }
  }
}
