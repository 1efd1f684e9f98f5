package io.kvasir.model.template;

import java.util.List;
import java.util.Map;

/// `str.format`: fields in braces with a conversion and a format specification. Attributes and
/// items in a field follow the same rules as in the template.
final class BraceFormat {
  private static final int MAX_NESTING = 2;

  private final Rendering runtime;
  private final List<Value> positional;
  private final Map<String, Value> named;
  private int automatic;
  private boolean numbered;

  BraceFormat(Rendering runtime, List<Value> positional, Map<String, Value> named) {
    this.runtime = runtime;
    this.positional = positional;
    this.named = named;
  }

  Str format(Str pattern) {
    return pattern.with(expand(pattern.text(), 0));
  }

  private String expand(String pattern, int nesting) {
    if (nesting >= MAX_NESTING) {
      throw new TemplateException("the fields of a format are nested too deep");
    }
    StringBuilder out = new StringBuilder();
    int at = 0;
    while (at < pattern.length()) {
      char c = pattern.charAt(at);
      boolean doubled = at + 1 < pattern.length() && pattern.charAt(at + 1) == c;
      if (c == '{' && !doubled) {
        int end = fieldEnd(pattern, at + 1);
        String text = field(pattern.substring(at + 1, end), nesting);
        runtime.budget().characters(text.length());
        out.append(text);
        at = end + 1;
      } else if ((c == '{' || c == '}') && doubled) {
        out.append(c);
        at += 2;
      } else if (c == '}') {
        throw new TemplateException("single '}' in a format string");
      } else {
        out.append(c);
        at++;
      }
    }
    return out.toString();
  }

  private static int fieldEnd(String pattern, int from) {
    int open = 1;
    for (int i = from; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      if (c == '{') {
        open++;
      } else if (c == '}' && --open == 0) {
        return i;
      }
    }
    throw new TemplateException("'{' without '}' in a format string");
  }

  private String field(String field, int nesting) {
    int colon = topLevel(field, ':');
    String spec = colon < 0 ? "" : field.substring(colon + 1);
    String name = colon < 0 ? field : field.substring(0, colon);
    int mark = topLevel(name, '!');
    char conversion = 0;
    if (mark >= 0) {
      if (mark + 2 != name.length()) {
        throw new TemplateException("a format conversion must be one of !s, !r and !a");
      }
      conversion = name.charAt(mark + 1);
      name = name.substring(0, mark);
    }
    Value value = converted(lookUp(name), conversion);
    if (spec.indexOf('{') >= 0) {
      spec = expand(spec, nesting + 1);
    }
    if (spec.isEmpty()) {
      return runtime.str(value);
    }
    return FormatSpec.parse(spec).apply(value, runtime.budget());
  }

  /// The first `wanted` outside of square brackets, or -1.
  private static int topLevel(String text, char wanted) {
    int brackets = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == wanted && brackets == 0) {
        return i;
      }
      brackets += c == '[' ? 1 : c == ']' && brackets > 0 ? -1 : 0;
    }
    return -1;
  }

  private Value converted(Value value, char conversion) {
    return switch (conversion) {
      case 0 -> value;
      case 's' -> new Str(runtime.str(value));
      case 'r' -> new Str(Repr.repr(value, runtime.budget()));
      case 'a' -> new Str(Repr.ascii(value, runtime.budget()));
      default -> throw new TemplateException("unknown format conversion '!" + conversion + "'");
    };
  }

  private Value lookUp(String name) {
    int end = 0;
    while (end < name.length() && name.charAt(end) != '.' && name.charAt(end) != '[') {
      end++;
    }
    Value value = first(name.substring(0, end));
    int at = end;
    while (at < name.length()) {
      if (name.charAt(at) == '.') {
        int next = at + 1;
        while (next < name.length() && name.charAt(next) != '.' && name.charAt(next) != '[') {
          next++;
        }
        value = runtime.attributes().attribute(value, name.substring(at + 1, next));
        at = next;
      } else {
        int close = name.indexOf(']', at);
        if (name.charAt(at) != '[' || close < 0) {
          throw new TemplateException("malformed field '" + name + "' in a format string");
        }
        value = runtime.attributes().item(value, key(name.substring(at + 1, close)));
        at = close + 1;
      }
    }
    return value;
  }

  private static Value key(String text) {
    boolean digits = !text.isEmpty() && text.length() < 10;
    for (int i = 0; i < text.length(); i++) {
      digits &= text.charAt(i) >= '0' && text.charAt(i) <= '9';
    }
    return digits ? Value.Int.of(Integer.parseInt(text)) : new Str(text);
  }

  private Value first(String name) {
    Value key = name.isEmpty() ? Value.Int.of(automatic++) : key(name);
    numbered |= !name.isEmpty() && !(key instanceof Str);
    if (numbered && automatic > 0) {
      throw new TemplateException("a format string cannot mix numbered fields with plain '{}'");
    }
    if (key instanceof Str) {
      Value value = named.get(name);
      if (value == null) {
        throw new TemplateException("the format string names '" + name + "', which was not given");
      }
      return value;
    }
    int index = Types.index(key, "a format field");
    if (index >= positional.size()) {
      throw new TemplateException(
          "the format string uses argument "
              + index
              + " but only "
              + positional.size()
              + " were given");
    }
    return positional.get(index);
  }
}
