package io.kvasir.model.template;

/// A template that cannot be compiled or rendered: a syntax error, an operation that the values do
/// not allow, a limit that was reached, or the template's own `raise_exception`.
///
/// The message is one sentence and names the template line where it is known; the words of
/// `raise_exception` are passed through unchanged.
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int line;
  private final boolean raised;

  TemplateException(String message) {
    this(message, 0, false);
  }

  TemplateException(String message, int line) {
    this(message, line, false);
  }

  private TemplateException(String message, int line, boolean raised) {
    super(line > 0 && !raised ? message + " (line " + line + " of the template)" : message);
    this.line = line;
    this.raised = raised;
  }

  /// The exception for a template's own call of `raise_exception`.
  static TemplateException raised(String message) {
    return new TemplateException(message, 0, true);
  }

  /// The template line counted from 1, or 0 where it is not known.
  public int line() {
    return line;
  }

  /// True where the template itself refused the input by `raise_exception`.
  public boolean isRaisedByTemplate() {
    return raised;
  }

  /// This exception with the line filled in, when it has none yet.
  TemplateException at(int templateLine) {
    if (line > 0 || templateLine <= 0) {
      return this;
    }
    String message = getMessage();
    TemplateException located =
        new TemplateException(message == null ? "" : message, templateLine, raised);
    located.setStackTrace(getStackTrace());
    return located;
  }
}
