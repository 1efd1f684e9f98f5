package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A recursive-descent parser for expressions. From loose to tight: `a if b else c`, `or`, `and`,
/// `not`, comparisons, `+ -`, `~`, `* / // %`, `**`, unary signs, filters and tests, then calls,
/// subscripts and attributes.
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private final TokenStream tokens;

  ExpressionParser(TokenStream tokens) {
    this.tokens = tokens;
  }

  Expr expression() {
    tokens.enter();
    int line = tokens.line();
    Expr value = or();
    while (tokens.skipName("if")) {
      Expr test = or();
      Expr otherwise = tokens.skipName("else") ? expression() : null;
      value = new Expr.Conditional(test, value, otherwise, line);
      line = tokens.line();
    }
    tokens.leave();
    return value;
  }

  /// An expression without `if`, as stands after `in` of a loop or after `if`.
  Expr withoutCondition() {
    return tupleOf(false, "");
  }

  /// One expression, or several with commas as a tuple.
  Expr tuple() {
    return tupleOf(true, "");
  }

  /// The expression after `in` of a loop, which `recursive` may follow.
  Expr loopItems() {
    return tupleOf(false, "recursive");
  }

  private Expr tupleOf(boolean conditions, String endWord) {
    List<Expr> items = new ArrayList<>();
    boolean isTuple = false;
    while (!atTupleEnd(endWord)) {
      items.add(conditions ? expression() : or());
      if (!tokens.skipOperator(",")) {
        break;
      }
      isTuple = true;
    }
    if (isTuple) {
      return new Expr.Items(items, true);
    }
    if (items.isEmpty()) {
      throw tokens.unexpected("an expression");
    }
    return items.getFirst();
  }

  private boolean atTupleEnd(String endWord) {
    return tokens.at(Token.Kind.VARIABLE_END)
        || tokens.at(Token.Kind.BLOCK_END)
        || tokens.atOperator(")")
        || tokens.atName(endWord);
  }

  private Expr or() {
    Expr left = and();
    while (tokens.skipName("or")) {
      left = new Expr.Logical(false, left, and());
    }
    return left;
  }

  private Expr and() {
    Expr left = not();
    while (tokens.skipName("and")) {
      left = new Expr.Logical(true, left, not());
    }
    return left;
  }

  private Expr not() {
    if (!tokens.skipName("not")) {
      return comparison();
    }
    tokens.enter();
    Expr operand = not();
    tokens.leave();
    return new Expr.Not(operand);
  }

  private Expr comparison() {
    Expr first = sum();
    List<Expr.Operand> rest = new ArrayList<>();
    while (true) {
      Token token = tokens.current();
      if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
        tokens.next();
        rest.add(new Expr.Operand(token.text(), sum()));
      } else if (tokens.skipName("in")) {
        rest.add(new Expr.Operand("in", sum()));
      } else if (token.isName("not") && tokens.following().isName("in")) {
        tokens.next();
        tokens.next();
        rest.add(new Expr.Operand("not in", sum()));
      } else {
        return rest.isEmpty() ? first : new Expr.Comparisons(first, rest);
      }
    }
  }

  private Expr sum() {
    Expr left = concatenation();
    while (true) {
      if (tokens.skipOperator("+")) {
        left = new Expr.Binary(Expr.Operator.ADD, left, concatenation());
      } else if (tokens.skipOperator("-")) {
        left = new Expr.Binary(Expr.Operator.SUBTRACT, left, concatenation());
      } else {
        return left;
      }
    }
  }

  private Expr concatenation() {
    Expr first = product();
    if (!tokens.atOperator("~")) {
      return first;
    }
    List<Expr> parts = new ArrayList<>();
    parts.add(first);
    while (tokens.skipOperator("~")) {
      parts.add(product());
    }
    return new Expr.Concatenation(parts);
  }

  private Expr product() {
    Expr left = power();
    while (true) {
      Expr.Operator operator = productOperator();
      if (operator == null) {
        return left;
      }
      tokens.next();
      left = new Expr.Binary(operator, left, power());
    }
  }

  private Expr.@Nullable Operator productOperator() {
    if (!tokens.at(Token.Kind.OPERATOR)) {
      return null;
    }
    return switch (tokens.current().text()) {
      case "*" -> Expr.Operator.MULTIPLY;
      case "/" -> Expr.Operator.DIVIDE;
      case "//" -> Expr.Operator.FLOOR_DIVIDE;
      case "%" -> Expr.Operator.MODULO;
      default -> null;
    };
  }

  private Expr power() {
    Expr left = unary(true);
    while (tokens.skipOperator("**")) {
      left = new Expr.Binary(Expr.Operator.POWER, left, unary(true));
    }
    return left;
  }

  private Expr unary(boolean withFilters) {
    tokens.enter();
    Expr value;
    if (tokens.atOperator("-") || tokens.atOperator("+")) {
      boolean negative = tokens.next().text().equals("-");
      value = new Expr.Signed(unary(false), negative);
    } else {
      value = primary();
    }
    value = postfix(value);
    if (withFilters) {
      value = filtersAndTests(value);
    }
    tokens.leave();
    return value;
  }

  private Expr primary() {
    Token token = tokens.next();
    switch (token.kind()) {
      case NAME -> {
        return switch (token.text()) {
          case "true", "True" -> new Expr.Constant(Value.Bool.TRUE);
          case "false", "False" -> new Expr.Constant(Value.Bool.FALSE);
          case "none", "None" -> new Expr.Constant(Value.None.NONE);
          default -> new Expr.Variable(token.text());
        };
      }
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (tokens.at(Token.Kind.STRING)) {
          text.append(tokens.next().text());
        }
        return new Expr.Constant(new Str(text.toString()));
      }
      case INTEGER -> {
        return new Expr.Constant(new Value.Int(NumberText.integerLiteral(token.text())));
      }
      case FLOAT -> {
        return new Expr.Constant(new Value.Real(Double.parseDouble(token.text())));
      }
      case OPERATOR -> {
        return bracketed(token);
      }
      case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END -> {}
    }
    throw notAnExpression(token);
  }

  private Expr bracketed(Token open) {
    return switch (open.text()) {
      case "(" -> parenthesized();
      case "[" -> new Expr.Items(listItems(), false);
      case "{" -> new Expr.Pairs(pairs());
      default -> throw notAnExpression(open);
    };
  }

  private Expr parenthesized() {
    Expr inner = tokens.atOperator(")") ? new Expr.Items(List.of(), true) : tuple();
    tokens.expectOperator(")");
    return inner;
  }

  private List<Expr> listItems() {
    List<Expr> items = new ArrayList<>();
    while (!tokens.atOperator("]")) {
      items.add(expression());
      if (!tokens.atOperator("]")) {
        tokens.expectOperator(",");
      }
    }
    tokens.next();
    return items;
  }

  private List<Expr.Pair> pairs() {
    List<Expr.Pair> pairs = new ArrayList<>();
    while (!tokens.atOperator("}")) {
      Expr key = expression();
      tokens.expectOperator(":");
      pairs.add(new Expr.Pair(key, expression()));
      if (!tokens.atOperator("}")) {
        tokens.expectOperator(",");
      }
    }
    tokens.next();
    return pairs;
  }

  private static TemplateException notAnExpression(Token token) {
    return new TemplateException(
        "expected an expression but found " + token.describe(), token.line());
  }

  private Expr postfix(Expr value) {
    Expr result = value;
    while (true) {
      if (tokens.skipOperator(".")) {
        result = attribute(result);
      } else if (tokens.skipOperator("[")) {
        result = subscript(result);
      } else if (tokens.atOperator("(")) {
        result = new Expr.Call(result, arguments());
      } else {
        return result;
      }
    }
  }

  private Expr attribute(Expr object) {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> new Expr.Attribute(object, token.text());
      case INTEGER ->
          new Expr.Subscript(
              object, new Expr.Constant(new Value.Int(NumberText.integerLiteral(token.text()))));
      default ->
          throw new TemplateException(
              "expected a name or number after '.' but found " + token.describe(), token.line());
    };
  }

  private Expr subscript(Expr object) {
    if (tokens.atOperator(":")) {
      return slice(object, null);
    }
    if (tokens.skipOperator("]")) {
      return new Expr.Subscript(object, new Expr.Items(List.of(), true));
    }
    Expr key = expression();
    if (tokens.atOperator(":")) {
      return slice(object, key);
    }
    if (tokens.atOperator(",")) {
      List<Expr> keys = new ArrayList<>();
      keys.add(key);
      while (tokens.skipOperator(",")) {
        keys.add(expression());
      }
      key = new Expr.Items(keys, true);
    }
    tokens.expectOperator("]");
    return new Expr.Subscript(object, key);
  }

  private Expr slice(Expr object, @Nullable Expr start) {
    tokens.expectOperator(":");
    Expr stop = tokens.atOperator(":") || tokens.atOperator("]") ? null : expression();
    Expr step = null;
    if (tokens.skipOperator(":")) {
      step = tokens.atOperator("]") ? null : expression();
    }
    tokens.expectOperator("]");
    return new Expr.Slice(object, start, stop, step);
  }

  private Expr filtersAndTests(Expr value) {
    Expr result = value;
    while (true) {
      if (tokens.atOperator("|")) {
        tokens.next();
        result = new Expr.Filtered(result, filterCall());
      } else if (tokens.skipName("is")) {
        result = test(result);
      } else if (tokens.atOperator("(")) {
        result = new Expr.Call(result, arguments());
      } else {
        return result;
      }
    }
  }

  /// The filters of `| a | b(...)`, in the order they apply.
  List<Expr.FilterCall> filterChain() {
    List<Expr.FilterCall> filters = new ArrayList<>();
    while (tokens.skipOperator("|")) {
      filters.add(filterCall());
    }
    return filters;
  }

  Expr.FilterCall filterCall() {
    int line = tokens.line();
    String name = dottedName();
    Expr.CallArguments arguments = tokens.atOperator("(") ? arguments() : Expr.CallArguments.NONE;
    return new Expr.FilterCall(name, arguments, line);
  }

  private String dottedName() {
    String name = tokens.expectName();
    while (tokens.skipOperator(".")) {
      name = name + "." + tokens.expectName();
    }
    return name;
  }

  private Expr test(Expr value) {
    int line = tokens.line();
    boolean negated = tokens.skipName("not");
    String name = dottedName();
    Expr.CallArguments arguments = Expr.CallArguments.NONE;
    if (tokens.atOperator("(")) {
      arguments = arguments();
    } else if (atTestArgument()) {
      if (tokens.atName("is")) {
        throw tokens.error("tests cannot be chained with 'is'");
      }
      arguments = new Expr.CallArguments(List.of(postfix(primary())), List.of(), null, null);
    }
    Expr tested = new Expr.Tested(value, new Expr.FilterCall(name, arguments, line));
    return negated ? new Expr.Not(tested) : tested;
  }

  private boolean atTestArgument() {
    return switch (tokens.current().kind()) {
      case NAME -> !tokens.atName("else") && !tokens.atName("or") && !tokens.atName("and");
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> tokens.atOperator("[") || tokens.atOperator("{");
      case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END -> false;
    };
  }

  private Expr.CallArguments arguments() {
    return new ArgumentParser(tokens, this).parse();
  }
}
