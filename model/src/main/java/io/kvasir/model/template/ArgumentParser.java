package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;

/// The arguments of a call: positional ones, then named ones, then `*list` and `**dictionary`.
final class ArgumentParser {
  private final TokenStream tokens;
  private final ExpressionParser expressions;

  ArgumentParser(TokenStream tokens, ExpressionParser expressions) {
    this.tokens = tokens;
    this.expressions = expressions;
  }

  /// Reads from `(` to `)`.
  Expr.CallArguments parse() {
    tokens.expectOperator("(");
    List<Expr> positional = new ArrayList<>();
    List<Expr.Keyword> keywords = new ArrayList<>();
    Expr star = null;
    Expr doubleStar = null;
    while (!tokens.atOperator(")")) {
      if (tokens.skipOperator("*")) {
        requireOrder(star == null && doubleStar == null);
        star = expressions.expression();
      } else if (tokens.skipOperator("**")) {
        requireOrder(doubleStar == null);
        doubleStar = expressions.expression();
      } else if (tokens.at(Token.Kind.NAME) && tokens.following().isOperator("=")) {
        requireOrder(doubleStar == null);
        String name = tokens.next().text();
        tokens.next();
        requireNewKeyword(keywords, name);
        keywords.add(new Expr.Keyword(name, expressions.expression()));
      } else {
        requireOrder(star == null && doubleStar == null && keywords.isEmpty());
        positional.add(expressions.expression());
      }
      if (!tokens.atOperator(")")) {
        tokens.expectOperator(",");
      }
    }
    tokens.next();
    return new Expr.CallArguments(positional, keywords, star, doubleStar);
  }

  private void requireOrder(boolean inOrder) {
    if (!inOrder) {
      throw tokens.error("the arguments of a call are in an order that is not allowed");
    }
  }

  private void requireNewKeyword(List<Expr.Keyword> keywords, String name) {
    for (Expr.Keyword keyword : keywords) {
      if (keyword.name().equals(name)) {
        throw tokens.error("the argument '" + name + "' is given twice");
      }
    }
  }
}
