package io.kvasir.model.template;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// Cuts a template into tokens, with the white space rules that chat templates are written for: the
/// first newline after a block or comment is dropped, and so are blanks between the start of a line
/// and a block or comment; `-` next to a delimiter strips all white space on that side and `+`
/// keeps it. One pass, linear in the source.
final class Lexer {
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
          "}", ">", "<", "=", ".", ":", "|", ",", ";");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private int lineCountedTo;
  private boolean lineStarting = true;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokenize(String source) {
    if (source.length() > Limits.MAX_SOURCE) {
      throw new TemplateException(
          "a template of "
              + source.length()
              + " characters is longer than the allowed "
              + Limits.MAX_SOURCE);
    }
    String text = source.replace("\r\n", "\n").replace('\r', '\n');
    if (text.endsWith("\n")) {
      text = text.substring(0, text.length() - 1);
    }
    Lexer lexer = new Lexer(text);
    lexer.readAll();
    return lexer.tokens;
  }

  private void readAll() {
    while (at < source.length()) {
      int begin = nextDelimiter(at);
      if (begin < 0) {
        addData(source.substring(at));
        at = source.length();
        break;
      }
      int rawEnd = rawTagEnd(begin);
      char kind = source.charAt(begin + 1);
      char sign = signAt(begin + 2);
      addData(strippedBefore(at, begin, sign, kind == '{' && rawEnd < 0));
      at = begin + 2 + (sign == 0 ? 0 : 1);
      lineStarting = false;
      if (rawEnd >= 0) {
        at = rawEnd;
        lineStarting = source.charAt(at - 1) == '\n';
        readRaw(begin);
      } else if (kind == '#') {
        readComment(begin);
      } else {
        readTag(begin, kind == '%');
      }
    }
    tokens.add(new Token(Token.Kind.END, "", lineAt(source.length())));
  }

  private int nextDelimiter(int from) {
    int brace = source.indexOf('{', from);
    while (brace >= 0 && brace + 1 < source.length()) {
      char next = source.charAt(brace + 1);
      if (next == '%' || next == '{' || next == '#') {
        return brace;
      }
      brace = source.indexOf('{', brace + 1);
    }
    return -1;
  }

  private char signAt(int position) {
    char c = position < source.length() ? source.charAt(position) : 0;
    return c == '-' || c == '+' ? c : 0;
  }

  /// The end of `{% raw %}` beginning here (with the white space that `-%}` strips), or -1.
  private int rawTagEnd(int begin) {
    if (source.charAt(begin + 1) != '%') {
      return -1;
    }
    int p = skipSpace(begin + 2 + (signAt(begin + 2) == 0 ? 0 : 1));
    if (!source.startsWith("raw", p)) {
      return -1;
    }
    p = skipSpace(p + 3);
    if (source.startsWith("-%}", p)) {
      return skipSpace(p + 3);
    }
    return source.startsWith("%}", p) ? p + 2 : -1;
  }

  /// The data between `from` and a delimiter at `end`, after the white space rules.
  private String strippedBefore(int from, int end, char sign, boolean variable) {
    if (sign == '-') {
      int stop = end;
      while (stop > from && Chars.isSpace(source.charAt(stop - 1))) {
        stop--;
      }
      return source.substring(from, stop);
    }
    if (sign != '+' && !variable) {
      int stop = end;
      while (stop > from
          && source.charAt(stop - 1) != '\n'
          && Chars.isSpace(source.charAt(stop - 1))) {
        stop--;
      }
      if (stop > from ? source.charAt(stop - 1) == '\n' : lineStarting) {
        return source.substring(from, stop);
      }
    }
    return source.substring(from, end);
  }

  private void readComment(int begin) {
    int close = source.indexOf("#}", at);
    if (close < 0 && at == source.length()) {
      return;
    }
    if (close < 0) {
      throw new TemplateException("the comment '{#' has no end '#}'", lineAt(begin));
    }
    at = afterBlockEnd(close, close > at ? source.charAt(close - 1) : 0);
  }

  /// The position after a `%}` or `#}` that stands at `close` with `sign` before it.
  private int afterBlockEnd(int close, char sign) {
    int end = close + 2;
    if (sign == '-') {
      end = skipSpace(end);
    } else if (sign != '+' && end < source.length() && source.charAt(end) == '\n') {
      end++;
    }
    lineStarting = source.charAt(end - 1) == '\n';
    return end;
  }

  private void readRaw(int begin) {
    int tag = source.indexOf("{%", at);
    while (tag >= 0) {
      char sign = signAt(tag + 2);
      int p = skipSpace(tag + 2 + (sign == 0 ? 0 : 1));
      if (source.startsWith("endraw", p)) {
        p = skipSpace(p + 6);
        char endSign = signAt(p);
        int close = endSign == 0 ? p : p + 1;
        if (source.startsWith("%}", close)) {
          addData(strippedBefore(at, tag, sign, false));
          at = afterBlockEnd(close, endSign);
          return;
        }
      }
      tag = source.indexOf("{%", tag + 2);
    }
    if (at < source.length()) {
      throw new TemplateException("the '{% raw %}' has no '{% endraw %}'", lineAt(begin));
    }
  }

  private void readTag(int begin, boolean block) {
    Token.Kind open = block ? Token.Kind.BLOCK_BEGIN : Token.Kind.VARIABLE_BEGIN;
    tokens.add(new Token(open, "", lineAt(begin)));
    Deque<Character> brackets = new ArrayDeque<>();
    String close = block ? "%}" : "}}";
    while (at < source.length()) {
      int start = at;
      char c = source.charAt(at);
      if (brackets.isEmpty()) {
        char sign = source.startsWith(close, at + 1) && (c == '-' || c == '+' && block) ? c : 0;
        if (sign != 0 || source.startsWith(close, at)) {
          addTagEnd(block, sign);
          return;
        }
      }
      if (Chars.isSpace(c)) {
        at = skipSpace(at);
      } else if (c >= '0' && c <= '9') {
        readNumber();
      } else if (c == '"' || c == '\'') {
        readString(c);
      } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(at))) {
        readName();
      } else {
        readOperator(brackets);
      }
      lineStarting = source.charAt(at - 1) == '\n' && at > start;
    }
    throw new TemplateException(
        "the tag '" + (block ? "{%" : "{{") + "' has no end '" + close + "'", lineAt(begin));
  }

  private void addTagEnd(boolean block, char sign) {
    Token.Kind kind = block ? Token.Kind.BLOCK_END : Token.Kind.VARIABLE_END;
    tokens.add(new Token(kind, "", lineAt(at)));
    int close = sign == 0 ? at : at + 1;
    if (block) {
      at = afterBlockEnd(close, sign);
    } else {
      at = sign == '-' ? skipSpace(close + 2) : close + 2;
      lineStarting = source.charAt(at - 1) == '\n';
    }
  }

  private void readOperator(Deque<Character> brackets) {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        balance(brackets, operator.charAt(0));
        add(Token.Kind.OPERATOR, operator, at);
        at += operator.length();
        return;
      }
    }
    String found = new String(Character.toChars(source.codePointAt(at)));
    throw new TemplateException("unexpected character '" + found + "' in a tag", lineAt(at));
  }

  private void balance(Deque<Character> brackets, char c) {
    switch (c) {
      case '(' -> brackets.push(')');
      case '[' -> brackets.push(']');
      case '{' -> brackets.push('}');
      case ')', ']', '}' -> {
        if (brackets.isEmpty() || brackets.pop() != c) {
          throw new TemplateException("unexpected '" + c + "'", lineAt(at));
        }
      }
      default -> {}
    }
  }

  private void readName() {
    int start = at;
    while (at < source.length()) {
      int c = source.codePointAt(at);
      if (!Character.isUnicodeIdentifierPart(c) || Character.isIdentifierIgnorable(c)) {
        break;
      }
      at += Character.charCount(c);
    }
    if (at == start) {
      at++;
    }
    add(Token.Kind.NAME, source.substring(start, at), start);
  }

  private void readNumber() {
    int start = at;
    boolean afterDot = start > 0 && source.charAt(start - 1) == '.';
    int end = afterDot ? -1 : NumberText.floatEnd(source, start);
    Token.Kind kind = end > 0 ? Token.Kind.FLOAT : Token.Kind.INTEGER;
    at = end > 0 ? end : NumberText.integerEnd(source, start);
    if (at - start > 1000) {
      throw new TemplateException("a number of " + (at - start) + " digits", lineAt(start));
    }
    add(kind, source.substring(start, at).replace("_", ""), start);
  }

  private void readString(char quote) {
    int start = at;
    int p = at + 1;
    while (p < source.length() && source.charAt(p) != quote) {
      p += source.charAt(p) == '\\' ? 2 : 1;
    }
    if (p >= source.length()) {
      throw new TemplateException("a string does not end", lineAt(start));
    }
    String text = StringEscapes.unescape(source.substring(start + 1, p), lineAt(start));
    add(Token.Kind.STRING, text, start);
    at = p + 1;
  }

  private void addData(String text) {
    if (!text.isEmpty()) {
      add(Token.Kind.DATA, text, at);
    }
  }

  private void add(Token.Kind kind, String text, int position) {
    tokens.add(new Token(kind, text, lineAt(position)));
  }

  private int skipSpace(int from) {
    int p = from;
    while (p < source.length() && Chars.isSpace(source.charAt(p))) {
      p++;
    }
    return p;
  }

  /// The line of a position at or after the last one asked for.
  private int lineAt(int position) {
    if (position < lineCountedTo) {
      line = 1;
      lineCountedTo = 0;
    }
    for (; lineCountedTo < position; lineCountedTo++) {
      if (source.charAt(lineCountedTo) == '\n') {
        line++;
      }
    }
    return line;
  }
}
