package io.kvasir.model.tokenizer.regex;

import java.util.Arrays;
import java.util.List;

/// A pattern as instructions for [RegexMatcher].
///
/// `MATCH` ends a program or the body of a look or an atomic group; bodies follow the instruction
/// that owns them. The columns `a` and `b` mean: `SPLIT` preferred and other target; `JUMP` target;
/// `RUN` least and most repetitions; `LOOK` and `ATOMIC` where to go on after the body; `LOOK` in
/// `b` its kind; `MARK` and `CHECK` a register.
final class RegexProgram {
  static final byte MATCH = 0;
  static final byte ONE = 1;
  static final byte SPLIT = 2;
  static final byte JUMP = 3;
  static final byte RUN = 4;
  static final byte RUN_POSSESSIVE = 5;
  static final byte LOOK = 6;
  static final byte ATOMIC = 7;
  static final byte AT = 8;
  static final byte MARK = 9;
  static final byte CHECK = 10;

  static final int LOOK_NEGATED = 1;
  static final int LOOK_BEHIND = 2;

  /// More instructions than this mean a hostile pattern, such as nested counted repetitions.
  private static final int MAX_LENGTH = 20_000;

  byte[] op = new byte[32];
  int[] a = new int[32];
  int[] b = new int[32];
  CodePointSet[] set = new CodePointSet[32];
  RegexNode.Anchor[] anchors = new RegexNode.Anchor[32];

  /// Where an instruction keeps what it learned about a text, or -1: for `SPLIT` a column of the
  /// memo table, for a `RUN` its slot.
  int[] memo = new int[32];

  int length;
  int memoColumns;
  int runSlots;
  int registers;

  private RegexProgram() {}

  static RegexProgram compile(RegexNode pattern) {
    RegexProgram program = new RegexProgram();
    program.emit(pattern, true);
    program.add(MATCH, 0, 0);
    return program;
  }

  /// @param pure whether success from here depends on nothing but the position, so that failures
  ///   may be remembered
  private void emit(RegexNode node, boolean pure) {
    switch (node) {
      case RegexNode.One(CodePointSet members) -> {
        int at = add(ONE, 0, 0);
        set[at] = members;
      }
      case RegexNode.Sequence(List<RegexNode> items) -> items.forEach(item -> emit(item, pure));
      case RegexNode.Choice(List<RegexNode> items) -> emitChoice(items, pure);
      case RegexNode.Repeat repeat -> emitRepeat(repeat, pure);
      case RegexNode.Atomic(RegexNode body) -> emitAtomic(body, pure);
      case RegexNode.Look look -> {
        int at =
            add(LOOK, 0, (look.negated() ? LOOK_NEGATED : 0) | (look.behind() ? LOOK_BEHIND : 0));
        emit(look.body(), !look.behind());
        add(MATCH, 0, 0);
        a[at] = length;
      }
      case RegexNode.At(RegexNode.Anchor anchor) -> {
        int at = add(AT, 0, 0);
        anchors[at] = anchor;
      }
    }
  }

  private void emitAtomic(RegexNode body, boolean pure) {
    int at = add(ATOMIC, 0, 0);
    emit(body, pure);
    add(MATCH, 0, 0);
    a[at] = length;
  }

  private void emitChoice(List<RegexNode> items, boolean pure) {
    int[] exits = new int[items.size() - 1];
    for (int i = 0; i < exits.length; i++) {
      int split = addSplit(pure);
      a[split] = length;
      emit(items.get(i), pure);
      exits[i] = add(JUMP, 0, 0);
      b[split] = length;
    }
    emit(items.getLast(), pure);
    for (int exit : exits) {
      a[exit] = length;
    }
  }

  private void emitRepeat(RegexNode.Repeat repeat, boolean pure) {
    if (repeat.greed() == RegexNode.Greed.POSSESSIVE) {
      if (repeat.body() instanceof RegexNode.One(CodePointSet members)) {
        addRun(RUN_POSSESSIVE, members, repeat, pure);
      } else {
        emitAtomic(
            new RegexNode.Repeat(repeat.body(), repeat.min(), repeat.max(), RegexNode.Greed.GREEDY),
            pure);
      }
      return;
    }
    boolean greedy = repeat.greed() == RegexNode.Greed.GREEDY;
    if (greedy && repeat.body() instanceof RegexNode.One(CodePointSet members)) {
      addRun(RUN, members, repeat, pure);
      return;
    }
    for (int i = 0; i < repeat.min(); i++) {
      emit(repeat.body(), pure);
    }
    if (repeat.max() == RegexNode.Repeat.UNBOUNDED) {
      emitLoop(repeat.body(), greedy, pure);
      return;
    }
    int[] splits = new int[repeat.max() - repeat.min()];
    for (int i = 0; i < splits.length; i++) {
      splits[i] = addSplit(pure);
      aim(splits[i], greedy, length);
      emit(repeat.body(), pure);
    }
    for (int split : splits) {
      aim(split, !greedy, length);
    }
  }

  /// A body that can match nothing is checked for progress, else the loop would never end.
  private void emitLoop(RegexNode body, boolean greedy, boolean pure) {
    boolean nullable = body.nullable();
    int split = addSplit(pure && !nullable);
    aim(split, greedy, length);
    int register = nullable ? registers++ : -1;
    if (nullable) {
      add(MARK, register, 0);
    }
    emit(body, pure && !nullable);
    if (nullable) {
      add(CHECK, register, 0);
    }
    add(JUMP, split, 0);
    aim(split, !greedy, length);
  }

  private void aim(int split, boolean preferred, int target) {
    if (preferred) {
      a[split] = target;
    } else {
      b[split] = target;
    }
  }

  private int addSplit(boolean pure) {
    int at = add(SPLIT, 0, 0);
    memo[at] = pure ? memoColumns++ : -1;
    return at;
  }

  private void addRun(byte code, CodePointSet members, RegexNode.Repeat repeat, boolean pure) {
    int at = add(code, repeat.min(), repeat.max());
    set[at] = members;
    memo[at] = pure ? runSlots++ : -1;
  }

  private int add(byte code, int first, int second) {
    if (length == MAX_LENGTH) {
      throw new RegexSyntaxException(
          "the pattern unrolls to more than " + MAX_LENGTH + " instructions");
    }
    if (length == op.length) {
      op = Arrays.copyOf(op, 2 * length);
      a = Arrays.copyOf(a, 2 * length);
      b = Arrays.copyOf(b, 2 * length);
      memo = Arrays.copyOf(memo, 2 * length);
      set = Arrays.copyOf(set, 2 * length);
      anchors = Arrays.copyOf(anchors, 2 * length);
    }
    op[length] = code;
    a[length] = first;
    b[length] = second;
    memo[length] = -1;
    return length++;
  }
}
