package io.kvasir.compute.onednn;

/// A call of oneDNN failed.
public final class OneDnnException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// @param call the function, such as `dnnl_primitive_create`
  /// @param status what it returned: 1 out of memory, 2 invalid arguments, 3 not implemented
  OneDnnException(String call, int status) {
    super("oneDNN's %s failed with status %d".formatted(call, status));
  }

  OneDnnException(String message) {
    super(message);
  }
}
