package io.kvasir.model.template;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The syntax tree of expressions.
sealed interface Expr {

  /// The binary operators of arithmetic.
  enum Operator {
    ADD("+"),
    SUBTRACT("-"),
    MULTIPLY("*"),
    DIVIDE("/"),
    FLOOR_DIVIDE("//"),
    MODULO("%"),
    POWER("**");

    private final String sign;

    Operator(String sign) {
      this.sign = sign;
    }

    String sign() {
      return sign;
    }
  }

  record Constant(Value value) implements Expr {}

  record Variable(String name) implements Expr {}

  /// A list, or a tuple where `tuple`.
  record Items(List<Expr> items, boolean tuple) implements Expr {}

  record Pairs(List<Pair> pairs) implements Expr {}

  record Pair(Expr key, Expr value) {}

  record Attribute(Expr object, String name) implements Expr {}

  record Subscript(Expr object, Expr key) implements Expr {}

  record Slice(Expr object, @Nullable Expr start, @Nullable Expr stop, @Nullable Expr step)
      implements Expr {}

  record Call(Expr callee, CallArguments arguments) implements Expr {}

  /// `input | name(arguments)`.
  record Filtered(Expr input, FilterCall filter) implements Expr {}

  record FilterCall(String name, CallArguments arguments, int line) {}

  /// `input is name(arguments)`.
  record Tested(Expr input, FilterCall test) implements Expr {}

  record Not(Expr operand) implements Expr {}

  /// `-operand`, or `+operand` where not `negative`.
  record Signed(Expr operand, boolean negative) implements Expr {}

  record Binary(Operator operator, Expr left, Expr right) implements Expr {}

  /// `a ~ b ~ c`.
  record Concatenation(List<Expr> parts) implements Expr {}

  /// `first < second <= third ...`; an operator is one of `== != < <= > >= in`, or `not in`.
  record Comparisons(Expr first, List<Operand> rest) implements Expr {}

  record Operand(String operator, Expr value) {}

  /// `left and right`, or `left or right`.
  record Logical(boolean and, Expr left, Expr right) implements Expr {}

  /// `then if test else otherwise`; without `else` the value is undefined.
  record Conditional(Expr test, Expr then, @Nullable Expr otherwise, int line) implements Expr {}

  /// The arguments of a call as written.
  ///
  /// @param star the value after `*`
  /// @param doubleStar the value after `**`
  record CallArguments(
      List<Expr> positional,
      List<Keyword> keywords,
      @Nullable Expr star,
      @Nullable Expr doubleStar) {
    static final CallArguments NONE = new CallArguments(List.of(), List.of(), null, null);
  }

  record Keyword(String name, Expr value) {}
}
