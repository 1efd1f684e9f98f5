package io.kvasir.model.template;

import java.util.List;

/// The parser's place in the tokens, and the depth of what it is parsing.
final class TokenStream {
  private final List<Token> tokens;
  private int at;
  private int depth;

  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(at);
  }

  Token following() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  /// The current token, which is left behind; the last token stays current for ever.
  Token next() {
    Token token = tokens.get(at);
    if (at + 1 < tokens.size()) {
      at++;
    }
    return token;
  }

  int line() {
    return current().line();
  }

  boolean at(Token.Kind kind) {
    return current().kind() == kind;
  }

  boolean atOperator(String operator) {
    return current().isOperator(operator);
  }

  boolean atName(String name) {
    return current().isName(name);
  }

  boolean skipOperator(String operator) {
    if (atOperator(operator)) {
      next();
      return true;
    }
    return false;
  }

  boolean skipName(String name) {
    if (atName(name)) {
      next();
      return true;
    }
    return false;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw unexpected("'" + operator + "'");
    }
  }

  void expectWord(String word) {
    if (!skipName(word)) {
      throw unexpected("'" + word + "'");
    }
  }

  String expectName() {
    if (!at(Token.Kind.NAME)) {
      throw unexpected("a name");
    }
    return next().text();
  }

  void expect(Token.Kind kind, String what) {
    if (!at(kind)) {
      throw unexpected(what);
    }
    next();
  }

  TemplateException unexpected(String wanted) {
    return error("expected " + wanted + " but found " + current().describe());
  }

  TemplateException error(String message) {
    return new TemplateException(message, line());
  }

  /// Goes one level deeper into the syntax; paired with [#leave].
  void enter() {
    if (++depth > Limits.MAX_SYNTAX_DEPTH) {
      throw error("the template nests deeper than " + Limits.MAX_SYNTAX_DEPTH + " levels");
    }
  }

  void leave() {
    depth--;
  }
}
