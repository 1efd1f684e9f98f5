package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Computes expressions by walking their tree.
final class Evaluator {
  private final Rendering runtime;
  private final Budget budget;

  Evaluator(Rendering runtime) {
    this.runtime = runtime;
    this.budget = runtime.budget();
  }

  Value evaluate(Expr expression, Scope scope) {
    budget.enter();
    Value value =
        switch (expression) {
          case Expr.Constant(Value constant) -> constant;
          case Expr.Variable(String name) -> variable(name, scope);
          case Expr.Items i -> items(i, scope);
          case Expr.Pairs(List<Expr.Pair> pairs) -> dict(pairs, scope);
          case Expr.Attribute(Expr object, String name) ->
              runtime.attributes().attribute(evaluate(object, scope), name);
          case Expr.Subscript(Expr object, Expr key) ->
              runtime.attributes().item(evaluate(object, scope), evaluate(key, scope));
          case Expr.Slice s -> slice(s, scope);
          case Expr.Call(Expr callee, Expr.CallArguments arguments) ->
              runtime.call(evaluate(callee, scope), arguments(arguments, scope));
          case Expr.Filtered(Expr input, Expr.FilterCall filter) ->
              filter(evaluate(input, scope), filter, scope);
          case Expr.Tested(Expr input, Expr.FilterCall test) ->
              runtime.test(test.name(), evaluate(input, scope), arguments(test.arguments(), scope));
          case Expr.Not(Expr operand) -> Value.Bool.of(!Types.truth(evaluate(operand, scope)));
          case Expr.Signed(Expr operand, boolean negative) ->
              negative
                  ? runtime.arithmetic().negated(evaluate(operand, scope))
                  : runtime.arithmetic().plus(evaluate(operand, scope));
          case Expr.Binary(Expr.Operator operator, Expr left, Expr right) ->
              runtime.arithmetic().apply(operator, evaluate(left, scope), evaluate(right, scope));
          case Expr.Concatenation(List<Expr> parts) -> concatenation(parts, scope);
          case Expr.Comparisons c -> comparisons(c, scope);
          case Expr.Logical(boolean and, Expr left, Expr right) -> {
            Value first = evaluate(left, scope);
            yield Types.truth(first) == and ? evaluate(right, scope) : first;
          }
          case Expr.Conditional c -> conditional(c, scope);
        };
    budget.leave();
    return value;
  }

  private static Value variable(String name, Scope scope) {
    Value value = scope.get(name);
    return value == null ? Value.Undefined.variable(name) : value;
  }

  private Value items(Expr.Items items, Scope scope) {
    List<Value> values = new ArrayList<>(items.items().size());
    budget.items(items.items().size());
    for (Expr item : items.items()) {
      values.add(evaluate(item, scope));
    }
    return items.tuple() ? Value.Sequence.tuple(values) : Value.Sequence.list(values);
  }

  private Value dict(List<Expr.Pair> pairs, Scope scope) {
    Dict dict = new Dict(pairs.size());
    budget.items(pairs.size());
    for (Expr.Pair pair : pairs) {
      dict.put(evaluate(pair.key(), scope), evaluate(pair.value(), scope));
    }
    return dict;
  }

  private Value slice(Expr.Slice slice, Scope scope) {
    Value object = evaluate(slice.object(), scope);
    return Slices.slice(
        object,
        bound(slice.start(), scope),
        bound(slice.stop(), scope),
        bound(slice.step(), scope),
        budget);
  }

  private Value bound(@Nullable Expr expression, Scope scope) {
    return expression == null ? Value.None.NONE : evaluate(expression, scope);
  }

  private Value concatenation(List<Expr> parts, Scope scope) {
    StringBuilder out = new StringBuilder();
    List<Value> values = new ArrayList<>(parts.size());
    boolean markup = false;
    for (Expr part : parts) {
      Value value = evaluate(part, scope);
      values.add(value);
      markup |= runtime.autoescape() && value instanceof Str str && str.markup();
    }
    for (Value value : values) {
      String text = markup ? Html.escaped(value, budget).text() : runtime.str(value);
      budget.characters(text.length());
      out.append(text);
    }
    return new Str(out.toString(), markup);
  }

  private Value comparisons(Expr.Comparisons comparisons, Scope scope) {
    Value left = evaluate(comparisons.first(), scope);
    for (Expr.Operand operand : comparisons.rest()) {
      Value right = evaluate(operand.value(), scope);
      if (!compare(operand.operator(), left, right)) {
        return Value.Bool.FALSE;
      }
      left = right;
    }
    return Value.Bool.TRUE;
  }

  private boolean compare(String operator, Value left, Value right) {
    Comparison comparison = runtime.comparison();
    return switch (operator) {
      case "==" -> comparison.equal(left, right);
      case "!=" -> !comparison.equal(left, right);
      case "in" -> comparison.contains(right, left);
      case "not in" -> !comparison.contains(right, left);
      default -> comparison.ordered(operator, left, right);
    };
  }

  private Value conditional(Expr.Conditional conditional, Scope scope) {
    if (Types.truth(evaluate(conditional.test(), scope))) {
      return evaluate(conditional.then(), scope);
    }
    if (conditional.otherwise() != null) {
      return evaluate(conditional.otherwise(), scope);
    }
    return Value.Undefined.because(
        "the inline if on line "
            + conditional.line()
            + " was false and has no else, so its value is undefined");
  }

  Value filter(Value input, Expr.FilterCall filter, Scope scope) {
    return runtime.filter(filter.name(), input, arguments(filter.arguments(), scope));
  }

  Arguments arguments(Expr.CallArguments written, Scope scope) {
    if (written.positional().isEmpty()
        && written.keywords().isEmpty()
        && written.star() == null
        && written.doubleStar() == null) {
      return Arguments.NONE;
    }
    List<Value> positional = new ArrayList<>(written.positional().size());
    for (Expr expression : written.positional()) {
      positional.add(evaluate(expression, scope));
    }
    Map<String, Value> keywords = new LinkedHashMap<>();
    for (Expr.Keyword keyword : written.keywords()) {
      keywords.put(keyword.name(), evaluate(keyword.value(), scope));
    }
    if (written.star() != null) {
      Iterator<Value> items = Iteration.of(evaluate(written.star(), scope));
      while (items.hasNext()) {
        budget.items(1);
        positional.add(items.next());
      }
    }
    if (written.doubleStar() != null) {
      addKeywords(keywords, evaluate(written.doubleStar(), scope));
    }
    return new Arguments(positional, keywords);
  }

  private void addKeywords(Map<String, Value> keywords, Value mapping) {
    if (!(mapping instanceof Dict dict)) {
      throw mapping instanceof Value.Undefined undefined
          ? undefined.failure()
          : new TemplateException(
              "the argument after ** must be a dictionary, not '" + Types.name(mapping) + "'");
    }
    for (Dict.Entry entry : dict.entries()) {
      budget.items(1);
      if (!(entry.key() instanceof Str name)) {
        throw new TemplateException("the names of arguments must be strings");
      }
      if (keywords.put(name.text(), entry.value()) != null) {
        throw new TemplateException("the argument '" + name.text() + "' is given twice");
      }
    }
  }
}
