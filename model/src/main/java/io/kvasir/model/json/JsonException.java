package io.kvasir.model.json;

/// Text that is not JSON, or a JSON value of another kind than the reader needs.
public final class JsonException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public JsonException(String message) {
    super(message);
  }
}
