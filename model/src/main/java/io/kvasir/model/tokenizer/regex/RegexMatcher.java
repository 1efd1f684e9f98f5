package io.kvasir.model.tokenizer.regex;

import java.util.Arrays;

/// Finds all matches of one program in one text, by backtracking that never repeats a failure.
///
/// A backtracking matcher takes the alternative that is written first, which is what tokenizers
/// expect, but may try the same instruction at the same position again and again. Failing from
/// (instruction, position) does not depend on how one came there, so it is remembered, also from
/// one start position to the next: the whole search is then linear in the text (selective
/// memoization: Davis, Servant, Lee, IEEE S&P 2021; success inside look-aheads is remembered as
/// well, after Barriere and Pit-Claudel, PLDI 2024). Three devices carry that:
/// - a `RUN` (one set, repeated) is one stack entry however long it is, and keeps where the last
///   run ended and in which range its continuation failed;
/// - a table of failed and succeeded (`SPLIT`, position) pairs, allocated once the work shows that
///   the text is not an ordinary one;
/// - a bound on the steps, against patterns outside these rules (nested atomic groups).
///
/// Nothing recurses on the text: the stack is an array; calls nest as deep as looks do in the
/// pattern.
final class RegexMatcher {
  private static final int ENTRY = 5;
  private static final int FAILED = 1;
  private static final int SUCCEEDED = 2;
  private static final int STEPS_BEFORE_MEMO = 30;
  private static final long MAX_MEMO_BITS = 1L << 31;

  private final RegexProgram program;
  private final String text;
  private final int size;

  /// Entries of program counter, position, least position (-1 for a plain alternative), last
  /// position of a run, length of the log.
  private int[] stack = new int[ENTRY * 16];

  private int top;

  /// Memo cells that were entered on the current path.
  private long[] log = new long[16];

  private int logTop;

  private long[] memo = new long[0];
  private boolean memoTried;

  private final int[] runLow;
  private final int[] runHigh;
  private final int[] failLow;
  private final int[] failHigh;
  private final int[] registers;
  private long steps;

  RegexMatcher(RegexProgram program, String text) {
    this.program = program;
    this.text = text;
    this.size = text.length();
    this.runLow = filled(program.runSlots);
    this.runHigh = filled(program.runSlots);
    this.failLow = filled(program.runSlots);
    this.failHigh = filled(program.runSlots);
    this.registers = new int[program.registers];
  }

  private static int[] filled(int length) {
    int[] out = new int[length];
    Arrays.fill(out, -1);
    return out;
  }

  /// The bounds of all matches, as start, end, start, end ... An empty match directly behind
  /// another match does not count.
  int[] findAll() {
    int[] bounds = new int[16];
    int count = 0;
    int start = 0;
    int lastEnd = -1;
    while (start <= size) {
      int end = matchAt(start);
      if (end < 0 || end == start && end == lastEnd) {
        start += start < size ? Character.charCount(text.codePointAt(start)) : 1;
        continue;
      }
      if (count == bounds.length) {
        bounds = Arrays.copyOf(bounds, 2 * count);
      }
      bounds[count++] = start;
      bounds[count++] = end;
      lastEnd = end;
      start = end;
    }
    return Arrays.copyOf(bounds, count);
  }

  /// How many steps were taken so far.
  long steps() {
    return steps;
  }

  private int matchAt(int start) {
    int end = run(0, start, -1);
    settle(0, end >= 0, 0);
    return end;
  }

  /// Runs from instruction `pc` to a `MATCH`; the end of the match or -1. Where `target` is not
  /// negative the match must end there.
  private int run(int pc, int from, int target) {
    int base = top;
    int at = from;
    while (true) {
      count(1);
      int next = -1;
      switch (program.op[pc]) {
        case RegexProgram.MATCH -> {
          if (target < 0 || at == target) {
            top = base;
            return at;
          }
        }
        case RegexProgram.ONE -> {
          int after = one(pc, at);
          if (after >= 0) {
            at = after;
            next = pc + 1;
          }
        }
        case RegexProgram.SPLIT -> {
          int known = enter(pc, at);
          if (known == SUCCEEDED) {
            top = base;
            return at;
          }
          if (known != FAILED) {
            next = program.a[pc];
            if (program.op[next] == RegexProgram.ONE && one(next, at) < 0) {
              next = program.b[pc];
            } else {
              push(program.b[pc], at, -1, -1);
            }
          }
        }
        case RegexProgram.JUMP -> next = program.a[pc];
        case RegexProgram.RUN, RegexProgram.RUN_POSSESSIVE -> {
          int after = runOf(pc, at);
          if (after >= 0) {
            at = after;
            next = pc + 1;
          }
        }
        case RegexProgram.LOOK -> next = look(pc, at) ? program.a[pc] : -1;
        case RegexProgram.ATOMIC -> {
          int logBase = logTop;
          int end = run(pc + 1, at, -1);
          settle(logBase, end >= 0, 0);
          if (end >= 0) {
            at = end;
            next = program.a[pc];
          }
        }
        case RegexProgram.AT -> next = holds(program.anchors[pc], at) ? pc + 1 : -1;
        case RegexProgram.MARK -> {
          // Restored on the way back by an entry that only puts the old value in place.
          push(-1 - program.a[pc], registers[program.a[pc]], -1, -1);
          registers[program.a[pc]] = at;
          next = pc + 1;
        }
        case RegexProgram.CHECK -> next = registers[program.a[pc]] == at ? -1 : pc + 1;
        default -> throw new IllegalStateException("instruction " + program.op[pc]);
      }
      if (next >= 0) {
        pc = next;
        continue;
      }
      pc = backtrack(base);
      if (pc < 0) {
        return -1;
      }
      at = resumeAt;
    }
  }

  private int resumeAt;

  /// Pops to the last alternative above `base`: its instruction, and its position in [#resumeAt];
  /// -1 where none is left.
  private int backtrack(int base) {
    while (top > base) {
      int entry = top - ENTRY;
      int pc = stack[entry];
      logTop = stack[entry + 4];
      int least = stack[entry + 2];
      if (pc < 0) {
        registers[-1 - pc] = stack[entry + 1];
        top = entry;
      } else if (least < 0) {
        resumeAt = stack[entry + 1];
        top = entry;
        return pc;
      } else if (stack[entry + 1] > least) {
        int at = text.offsetByCodePoints(stack[entry + 1], -1);
        stack[entry + 1] = at;
        resumeAt = at;
        return pc;
      } else {
        int slot = program.memo[pc - 1];
        if (slot >= 0) {
          failLow[slot] = least;
          failHigh[slot] = stack[entry + 3];
        }
        top = entry;
      }
    }
    return -1;
  }

  private int one(int pc, int at) {
    if (at >= size) {
      return -1;
    }
    int c = text.codePointAt(at);
    return program.set[pc].contains(c) ? at + Character.charCount(c) : -1;
  }

  /// Takes as much of a run as there is; the position behind it, or -1.
  private int runOf(int pc, int at) {
    int slot = program.memo[pc];
    CodePointSet set = program.set[pc];
    int min = program.a[pc];
    int max = program.b[pc];
    int end = at;
    int least = min == 0 ? at : -1;
    boolean unbounded = max == RegexNode.Repeat.UNBOUNDED;
    if (unbounded && slot >= 0 && at >= runLow[slot] && at <= runHigh[slot] && min <= 1) {
      end = runHigh[slot];
      if (min == 1 && end > at) {
        least = at + Character.charCount(text.codePointAt(at));
      }
    } else {
      int taken = 0;
      while (taken < max && end < size) {
        int c = text.codePointAt(end);
        if (!set.contains(c)) {
          break;
        }
        end += Character.charCount(c);
        if (++taken == min) {
          least = end;
        }
      }
      count(taken);
      if (unbounded && slot >= 0) {
        runLow[slot] = at;
        runHigh[slot] = end;
      }
    }
    if (least < 0 || slot >= 0 && least >= failLow[slot] && end <= failHigh[slot]) {
      return -1;
    }
    if (program.op[pc] == RegexProgram.RUN && end > least) {
      push(pc + 1, end, least, end);
    }
    return end;
  }

  private boolean look(int pc, int at) {
    int kind = program.b[pc];
    int logBase = logTop;
    boolean found;
    if ((kind & RegexProgram.LOOK_BEHIND) == 0) {
      found = run(pc + 1, at, -1) >= 0;
    } else {
      found = false;
      int from = at;
      // A look-behind is short in practice; longer ones than this are not found.
      for (int length = 0; length <= 64 && !found; length++) {
        found = run(pc + 1, from, at) >= 0;
        if (from == 0) {
          break;
        }
        from = text.offsetByCodePoints(from, -1);
      }
    }
    settle(logBase, found, SUCCEEDED);
    return found != ((kind & RegexProgram.LOOK_NEGATED) != 0);
  }

  private boolean holds(RegexNode.Anchor anchor, int at) {
    return switch (anchor) {
      case TEXT_START -> at == 0;
      case TEXT_END -> at == size;
      case TEXT_END_OR_LAST_NEWLINE -> at == size || at == size - 1 && text.charAt(at) == '\n';
      case LINE_START -> at == 0 || text.charAt(at - 1) == '\n' && at < size;
      case LINE_END -> at == size || text.charAt(at) == '\n';
      case WORD_BOUNDARY -> wordBefore(at) != wordAfter(at);
      case NO_WORD_BOUNDARY -> wordBefore(at) == wordAfter(at);
    };
  }

  private boolean wordBefore(int at) {
    return at > 0 && UnicodeProperty.WORD.contains(text.codePointBefore(at));
  }

  private boolean wordAfter(int at) {
    return at < size && UnicodeProperty.WORD.contains(text.codePointAt(at));
  }

  /// Notes that a `SPLIT` was reached; what is known of it already.
  private int enter(int pc, int at) {
    int column = program.memo[pc];
    if (column < 0 || memo.length == 0) {
      return 0;
    }
    long cell = (long) at * program.memoColumns + column;
    int word = (int) (cell >>> 5);
    int shift = (int) (cell & 31) << 1;
    int known = (int) (memo[word] >>> shift) & 3;
    if (known == 0) {
      memo[word] |= (long) FAILED << shift;
      if (logTop == log.length) {
        log = Arrays.copyOf(log, 2 * logTop);
      }
      log[logTop++] = cell;
    }
    return known;
  }

  /// Closes the log above `logBase`: where the path in it matched, its cells did not fail after all
  /// but get `outcome`.
  private void settle(int logBase, boolean matched, int outcome) {
    for (int i = logBase; matched && i < logTop; i++) {
      int word = (int) (log[i] >>> 5);
      int shift = (int) (log[i] & 31) << 1;
      memo[word] = memo[word] & ~(3L << shift) | (long) outcome << shift;
    }
    logTop = logBase;
  }

  private void count(int more) {
    steps += more;
    if (steps > (long) STEPS_BEFORE_MEMO * (size + 100) && !memoTried) {
      memoTried = true;
      long cells = (size + 1L) * program.memoColumns;
      if (cells > 0 && 2 * cells <= MAX_MEMO_BITS) {
        memo = new long[(int) (cells >>> 5) + 1];
      }
    }
    if (steps > (size + 1000L) * (program.length + 10L) * 100) {
      throw new RegexSyntaxException(
          "a pre-tokenizer pattern took more than " + steps + " steps on " + size + " characters");
    }
  }

  private void push(int pc, int at, int least, int last) {
    if (top == stack.length) {
      if (stack.length > Integer.MAX_VALUE / 2) {
        throw new RegexSyntaxException("a pre-tokenizer pattern needs too many alternatives");
      }
      stack = Arrays.copyOf(stack, 2 * top);
    }
    stack[top] = pc;
    stack[top + 1] = at;
    stack[top + 2] = least;
    stack[top + 3] = last;
    stack[top + 4] = logTop;
    top += ENTRY;
  }
}
