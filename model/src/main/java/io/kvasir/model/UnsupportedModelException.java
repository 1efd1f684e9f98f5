package io.kvasir.model;

/// A model that is well formed but asks for something this engine does not do; the message says
/// what, and what it can do instead.
public final class UnsupportedModelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public UnsupportedModelException(String message) {
    super(message);
  }
}
