package io.kvasir.model.file;

/// A model file that cannot be used: the message is one sentence that names the file, the value at
/// fault and, where there is something to do, what to do.
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ModelFormatException(String message) {
    super(message);
  }

  public ModelFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
