package io.kvasir.model.template;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// A recursive-descent parser for templates: text, `{{ }}` and the statements in `{% %}`.
final class TemplateParser {
  private static final Set<String> CONSTANTS =
      Set.of("true", "false", "none", "True", "False", "None");

  private final TokenStream tokens;
  private final ExpressionParser expressions;
  private final Set<String> blocks = new HashSet<>();

  /// The tags that are open, for error messages.
  private final Deque<String> open = new ArrayDeque<>();

  /// Loops around the current statement that `break` and `continue` can reach.
  private int reachableLoops;

  /// Loops around the current statement at all.
  private int loops;

  private TemplateParser(List<Token> tokenList) {
    tokens = new TokenStream(tokenList);
    expressions = new ExpressionParser(tokens);
  }

  static List<Stmt> parse(String source) {
    TemplateParser parser = new TemplateParser(Lexer.tokenize(source));
    List<Stmt> statements = parser.statementsUntil(List.of());
    SyntaxCheck.check(statements);
    return statements;
  }

  /// The statements up to a tag named in `ends`, whose name is then the current token; with no
  /// `ends`, up to the end of the template.
  private List<Stmt> statementsUntil(List<String> ends) {
    tokens.enter();
    List<Stmt> body = new ArrayList<>();
    while (true) {
      Token token = tokens.next();
      switch (token.kind()) {
        case DATA -> body.add(new Stmt.Text(token.text(), token.line()));
        case VARIABLE_BEGIN -> {
          body.add(new Stmt.Print(expressions.tuple(), token.line()));
          tokens.expect(Token.Kind.VARIABLE_END, "'}}'");
        }
        case BLOCK_BEGIN -> {
          if (tokens.at(Token.Kind.NAME) && ends.contains(tokens.current().text())) {
            tokens.leave();
            return body;
          }
          statement(body, ends);
          tokens.expect(Token.Kind.BLOCK_END, "'%}'");
        }
        case END -> {
          if (!ends.isEmpty()) {
            throw new TemplateException(
                "the template ends where '{% "
                    + open.element()
                    + " %}' waits for '"
                    + String.join("' or '", ends)
                    + "'",
                token.line());
          }
          tokens.leave();
          return body;
        }
        default -> throw new TemplateException("unexpected " + token.describe(), token.line());
      }
    }
  }

  /// The body after the opening tag: `%}` (a colon may stand before it) and statements.
  private List<Stmt> body(String... ends) {
    tokens.skipOperator(":");
    tokens.expect(Token.Kind.BLOCK_END, "'%}'");
    return statementsUntil(List.of(ends));
  }

  /// [#body] with the closing tag's name read too.
  private List<Stmt> wholeBody(String end) {
    List<Stmt> body = body(end);
    tokens.next();
    return body;
  }

  /// A body that is a Python function of its own, so that no outer loop can be left from inside.
  private List<Stmt> closedBody(String end) {
    int outer = reachableLoops;
    reachableLoops = 0;
    List<Stmt> body = wholeBody(end);
    reachableLoops = outer;
    return body;
  }

  private void statement(List<Stmt> out, List<String> ends) {
    if (!tokens.at(Token.Kind.NAME)) {
      throw tokens.unexpected("the name of a tag");
    }
    int line = tokens.line();
    String tag = tokens.next().text();
    open.push(tag);
    switch (tag) {
      case "for" -> out.add(forLoop(line));
      case "if" -> out.add(ifChain(line));
      case "set" -> out.add(assignment(line));
      case "macro" -> out.add(macro(line));
      case "call" -> out.add(callBlock(line));
      case "filter" -> out.add(filterBlock(line));
      case "with" -> out.add(with(line));
      case "block" -> out.add(block(line));
      case "autoescape" ->
          out.add(new Stmt.Autoescape(expressions.expression(), wholeBody("endautoescape"), line));
      case "generation" -> out.add(new Stmt.Generation(closedBody("endgeneration"), line));
      case "print" -> print(out, line);
      case "break" -> out.add(new Stmt.Break(loopControl(line, tag)));
      case "continue" -> out.add(new Stmt.Continue(loopControl(line, tag)));
      case "include", "import", "from", "extends" -> out.add(unavailable(tag, line));
      default -> throw unknownTag(tag, ends, line);
    }
    open.pop();
  }

  private TemplateException unknownTag(String tag, List<String> ends, int line) {
    open.pop();
    String waiting =
        ends.isEmpty()
            ? ""
            : ": '{% " + open.element() + " %}' waits for '" + String.join("' or '", ends) + "'";
    return new TemplateException("unknown tag '" + tag + "'" + waiting, line);
  }

  private int loopControl(int line, String tag) {
    if (reachableLoops == 0) {
      throw new TemplateException("'" + tag + "' stands outside of a loop", line);
    }
    return line;
  }

  private Stmt forLoop(int line) {
    loops++;
    Stmt.Target target = target("in");
    tokens.expectWord("in");
    Expr items = expressions.loopItems();
    Expr test = tokens.skipName("if") ? expressions.expression() : null;
    boolean recursive = tokens.skipName("recursive");
    reachableLoops++;
    List<Stmt> body = body("endfor", "else");
    reachableLoops--;
    List<Stmt> otherwise = tokens.next().text().equals("else") ? wholeBody("endfor") : List.of();
    loops--;
    return new Stmt.For(target, items, test, recursive, body, otherwise, line);
  }

  private Stmt ifChain(int line) {
    List<Stmt.Branch> branches = new ArrayList<>();
    while (true) {
      Expr test = expressions.withoutCondition();
      branches.add(new Stmt.Branch(test, body("elif", "else", "endif")));
      String end = tokens.next().text();
      if (end.equals("endif")) {
        return new Stmt.If(branches, List.of(), line);
      }
      if (end.equals("else")) {
        return new Stmt.If(branches, wholeBody("endif"), line);
      }
    }
  }

  private Stmt assignment(int line) {
    Stmt.Target target = target("");
    if (tokens.skipOperator("=")) {
      return new Stmt.Assign(target, expressions.tuple(), line);
    }
    List<Expr.FilterCall> filters = expressions.filterChain();
    return new Stmt.AssignBlock(target, filters, wholeBody("endset"), line);
  }

  private Stmt.Macro macro(int line) {
    String name = tokens.expectName();
    requireAssignable(name);
    List<Stmt.Parameter> parameters = parameters();
    List<Stmt> body = closedBody("endmacro");
    return macroOf(name, parameters, body, line);
  }

  private static Stmt.Macro macroOf(
      String name, List<Stmt.Parameter> parameters, List<Stmt> body, int line) {
    Stmt.Specials specials = SyntaxCheck.specials(parameters, body, line);
    return new Stmt.Macro(name, parameters, specials, body, line);
  }

  private List<Stmt.Parameter> parameters() {
    tokens.expectOperator("(");
    List<Stmt.Parameter> parameters = new ArrayList<>();
    Set<String> names = new HashSet<>();
    boolean fallbacks = false;
    while (!tokens.atOperator(")")) {
      if (!parameters.isEmpty()) {
        tokens.expectOperator(",");
      }
      String name = tokens.expectName();
      requireAssignable(name);
      if (!names.add(name)) {
        throw tokens.error("the parameter '" + name + "' stands twice");
      }
      Expr fallback = tokens.skipOperator("=") ? expressions.expression() : null;
      if (fallback == null && fallbacks) {
        throw tokens.error("the parameter '" + name + "' needs a default as those before it");
      }
      fallbacks |= fallback != null;
      parameters.add(new Stmt.Parameter(name, fallback));
    }
    tokens.next();
    return parameters;
  }

  private Stmt callBlock(int line) {
    List<Stmt.Parameter> parameters = tokens.atOperator("(") ? parameters() : List.of();
    if (!(expressions.expression() instanceof Expr.Call call)) {
      throw new TemplateException("'call' needs a call such as 'macro(x)'", line);
    }
    Stmt.Macro caller = macroOf("caller", parameters, closedBody("endcall"), line);
    return new Stmt.CallBlock(call, caller, line);
  }

  private Stmt filterBlock(int line) {
    List<Expr.FilterCall> filters = new ArrayList<>();
    filters.add(expressions.filterCall());
    filters.addAll(expressions.filterChain());
    return new Stmt.FilterBlock(filters, wholeBody("endfilter"), line);
  }

  private Stmt with(int line) {
    List<Stmt.Target> targets = new ArrayList<>();
    List<Expr> values = new ArrayList<>();
    while (!tokens.at(Token.Kind.BLOCK_END) && !tokens.atOperator(":")) {
      if (!targets.isEmpty()) {
        tokens.expectOperator(",");
      }
      targets.add(target(""));
      tokens.expectOperator("=");
      values.add(expressions.expression());
    }
    return new Stmt.With(targets, values, wholeBody("endwith"), line);
  }

  private Stmt block(int line) {
    String name = tokens.expectName();
    boolean scoped = tokens.skipName("scoped");
    tokens.skipName("required");
    if (!blocks.add(name)) {
      throw new TemplateException("the block '" + name + "' is defined twice", line);
    }
    List<Stmt> body = closedBody("endblock");
    tokens.skipName(name);
    return new Stmt.Block(name, scoped, body, line);
  }

  private void print(List<Stmt> out, int line) {
    boolean first = true;
    while (!tokens.at(Token.Kind.BLOCK_END)) {
      if (!first) {
        tokens.expectOperator(",");
      }
      out.add(new Stmt.Print(expressions.expression(), line));
      first = false;
    }
  }

  private Stmt unavailable(String tag, int line) {
    while (!tokens.at(Token.Kind.BLOCK_END) && !tokens.at(Token.Kind.END)) {
      tokens.next();
    }
    return new Stmt.Unavailable(tag, line);
  }

  /// A name, `namespace.attribute`, or several with commas.
  private Stmt.Target target(String endWord) {
    List<Stmt.Target> targets = new ArrayList<>();
    boolean several = false;
    while (!atTargetEnd(endWord)) {
      targets.add(singleTarget());
      if (!tokens.skipOperator(",")) {
        break;
      }
      several = true;
    }
    if (several) {
      return new Stmt.Several(targets);
    }
    if (targets.isEmpty()) {
      throw tokens.unexpected("a name to assign to");
    }
    return targets.getFirst();
  }

  private boolean atTargetEnd(String endWord) {
    return tokens.at(Token.Kind.BLOCK_END) || tokens.atOperator(")") || tokens.atName(endWord);
  }

  private Stmt.Target singleTarget() {
    if (tokens.skipOperator("(")) {
      tokens.enter();
      Stmt.Target inner = target("");
      tokens.leave();
      tokens.expectOperator(")");
      return inner;
    }
    int line = tokens.line();
    String name = tokens.expectName();
    requireAssignable(name);
    if (tokens.skipOperator(".")) {
      return new Stmt.NamespaceAttribute(name, tokens.expectName());
    }
    if (name.equals("loop") && loops > 0) {
      throw new TemplateException("a loop cannot assign to its variable 'loop'", line);
    }
    return new Stmt.Variable(name);
  }

  private void requireAssignable(String name) {
    if (CONSTANTS.contains(name)) {
      throw tokens.error("cannot assign to '" + name + "'");
    }
  }
}
