package io.kvasir.sim;

/// A trace, or the description of a workload, cannot be used; the message is one sentence that
/// names the place and the value.
public final class TraceFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TraceFormatException(String message) {
    super(message);
  }
}
