package io.kvasir.model.tokenizer.regex;

import io.kvasir.model.tokenizer.regex.RegexNode.Anchor;
import io.kvasir.model.tokenizer.regex.RegexNode.Greed;
import java.util.ArrayList;
import java.util.List;

/// Parses the dialect of tokenizer files: Oniguruma's Ruby syntax over Unicode, which is also what
/// the patterns written for Python's `regex` and Rust's `fancy-regex` keep to.
///
/// Differences from `java.util.regex` that matter here: `\s`, `\d`, `\w` and `\b` mean Unicode, `^`
/// and `$` stand at every line, `{n,m}+` repeats again rather than being possessive, and classes
/// nest and intersect.
final class RegexParser {
  private static final int MAX_DEPTH = 100;
  private static final int MAX_REPEAT = 1000;

  private final String pattern;
  private int at;
  private int depth;
  private boolean ignoreCase;
  private boolean dotAll;

  RegexParser(String pattern) {
    this.pattern = pattern;
  }

  RegexNode parse() {
    RegexNode node = choice();
    if (at < pattern.length()) {
      throw error("')' without '('");
    }
    return node;
  }

  private RegexNode choice() {
    if (++depth > MAX_DEPTH) {
      throw error("groups nest deeper than " + MAX_DEPTH);
    }
    List<RegexNode> items = new ArrayList<>();
    items.add(sequence());
    while (take('|')) {
      items.add(sequence());
    }
    depth--;
    return items.size() == 1 ? items.getFirst() : new RegexNode.Choice(items);
  }

  private RegexNode sequence() {
    List<RegexNode> items = new ArrayList<>();
    while (at < pattern.length() && pattern.charAt(at) != '|' && pattern.charAt(at) != ')') {
      items.add(repeats(atom()));
    }
    return items.size() == 1 ? items.getFirst() : new RegexNode.Sequence(items);
  }

  private RegexNode repeats(RegexNode atom) {
    RegexNode node = atom;
    for (int level = 0; at < pattern.length(); level++) {
      if (level > MAX_DEPTH) {
        throw error("too many repetitions of repetitions");
      }
      int min;
      int max;
      boolean interval = false;
      switch (pattern.charAt(at)) {
        case '*' -> {
          min = 0;
          max = RegexNode.Repeat.UNBOUNDED;
          at++;
        }
        case '+' -> {
          min = 1;
          max = RegexNode.Repeat.UNBOUNDED;
          at++;
        }
        case '?' -> {
          min = 0;
          max = 1;
          at++;
        }
        case '{' -> {
          long bounds = interval();
          if (bounds < 0) {
            return node;
          }
          min = (int) (bounds >>> 32);
          max = (int) bounds;
          interval = true;
        }
        default -> {
          return node;
        }
      }
      Greed greed = Greed.GREEDY;
      if (take('?')) {
        greed = Greed.LAZY;
      } else if (!interval && take('+')) {
        greed = Greed.POSSESSIVE;
      }
      node = new RegexNode.Repeat(node, min, max, greed);
    }
    return node;
  }

  /// Reads `{n}`, `{n,}`, `{,m}` or `{n,m}` as min << 32 | max; -1, and nothing read, where '{'
  /// stands for itself.
  private long interval() {
    int start = at++;
    int low = number();
    boolean open = take(',');
    int high = open ? number() : low;
    if (!take('}') || low < 0 && (!open || high < 0)) {
      at = start;
      return -1;
    }
    int min = Math.max(low, 0);
    int max = high < 0 ? RegexNode.Repeat.UNBOUNDED : high;
    if (min > MAX_REPEAT || high > MAX_REPEAT || min > max) {
      throw error("a repetition is out of range (at most " + MAX_REPEAT + ")");
    }
    return (long) min << 32 | max;
  }

  /// Reads a number, the largest int for one beyond it; -1 where no digit stands.
  private int number() {
    long value = -1;
    while (at < pattern.length() && pattern.charAt(at) >= '0' && pattern.charAt(at) <= '9') {
      value = Math.min(Math.max(value, 0) * 10 + pattern.charAt(at++) - '0', Integer.MAX_VALUE);
    }
    return (int) value;
  }

  private RegexNode atom() {
    char c = pattern.charAt(at);
    return switch (c) {
      case '(' -> group();
      case '[' -> one(classParser().parse());
      case '.' -> {
        at++;
        yield new RegexNode.One(dotAll ? CodePointSet.ANY : CodePointSet.NOT_NEWLINE);
      }
      case '^' -> anchor(Anchor.LINE_START);
      case '$' -> anchor(Anchor.LINE_END);
      case '\\' -> escape();
      case '*', '+', '?' -> throw error("'" + c + "' has nothing to repeat");
      default -> {
        int literal = pattern.codePointAt(at);
        at += Character.charCount(literal);
        yield literal(literal);
      }
    };
  }

  private RegexNode anchor(Anchor anchor) {
    at++;
    return new RegexNode.At(anchor);
  }

  private RegexNode literal(int c) {
    boolean cased = ignoreCase && Character.toLowerCase(c) != Character.toUpperCase(c);
    return new RegexNode.One(cased ? CodePointSet.ignoringCase(c) : CodePointSet.of(c));
  }

  private RegexNode one(CodePointSet set) {
    return new RegexNode.One(ignoreCase ? set.ignoringCase() : set);
  }

  private RegexNode group() {
    at++;
    boolean caseBefore = ignoreCase;
    boolean dotBefore = dotAll;
    RegexNode node;
    if (!take('?')) {
      node = choice();
    } else if (take('=')) {
      node = new RegexNode.Look(choice(), false, false);
    } else if (take('!')) {
      node = new RegexNode.Look(choice(), false, true);
    } else if (take('>')) {
      node = new RegexNode.Atomic(choice());
    } else if (pattern.startsWith("<=", at) || pattern.startsWith("<!", at)) {
      boolean negated = pattern.charAt(at + 1) == '!';
      at += 2;
      node = new RegexNode.Look(choice(), true, negated);
    } else if (pattern.startsWith("<", at) || pattern.startsWith("P<", at)) {
      at = pattern.indexOf('>', at) + 1;
      if (at == 0) {
        throw error("a group name does not end");
      }
      node = choice();
    } else if (pattern.startsWith("#", at)) {
      at = Math.max(pattern.indexOf(')', at), at);
      node = new RegexNode.Sequence(List.of());
    } else {
      boolean scoped = flags();
      node = choice();
      if (!scoped) {
        return node;
      }
    }
    ignoreCase = caseBefore;
    dotAll = dotBefore;
    if (!take(')')) {
      throw error("')' is missing");
    }
    return node;
  }

  /// Reads flags up to and with ':' (true) or ')' (false). In the latter case they hold to the end
  /// of the group around this one.
  private boolean flags() {
    boolean on = true;
    while (at < pattern.length()) {
      char c = pattern.charAt(at);
      switch (c) {
        case '-' -> on = false;
        case 'i' -> ignoreCase = on;
        case 'm', 's' -> dotAll = on;
        case 'u' -> {}
        case ':' -> {
          at++;
          return true;
        }
        case ')' -> {
          at++;
          return false;
        }
        default -> throw error("group option '" + c + "' is not supported");
      }
      at++;
    }
    throw error("a group does not end");
  }

  private RegexNode escape() {
    char c = at + 1 < pattern.length() ? pattern.charAt(at + 1) : 0;
    return switch (c) {
      case 'A', 'G' -> escapedAnchor(Anchor.TEXT_START);
      case 'z' -> escapedAnchor(Anchor.TEXT_END);
      case 'Z' -> escapedAnchor(Anchor.TEXT_END_OR_LAST_NEWLINE);
      case 'b' -> escapedAnchor(Anchor.WORD_BOUNDARY);
      case 'B' -> escapedAnchor(Anchor.NO_WORD_BOUNDARY);
      case 'R' -> newline();
      case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k' ->
          throw error("back-references are not supported");
      default -> {
        ClassParser escapes = classParser();
        CodePointSet set = escapes.escapedSet();
        yield set != null ? one(set) : literal(escapes.escapedCodePoint());
      }
    };
  }

  private RegexNode escapedAnchor(Anchor anchor) {
    at++;
    return anchor(anchor);
  }

  private RegexNode newline() {
    at += 2;
    RegexNode pair =
        new RegexNode.Sequence(
            List.of(
                new RegexNode.One(CodePointSet.of('\r')),
                new RegexNode.One(CodePointSet.of('\n'))));
    RegexNode single =
        new RegexNode.One(
            new CodePointSet(
                c -> c >= '\n' && c <= '\r' || c == 0x85 || c == 0x2028 || c == 0x2029));
    return new RegexNode.Atomic(new RegexNode.Choice(List.of(pair, single)));
  }

  private ClassParser classParser() {
    return new ClassParser(pattern, at, position -> at = position);
  }

  private boolean take(char c) {
    if (at < pattern.length() && pattern.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private RegexSyntaxException error(String what) {
    return new RegexSyntaxException(what + " at character " + at + " of pattern " + pattern);
  }
}
