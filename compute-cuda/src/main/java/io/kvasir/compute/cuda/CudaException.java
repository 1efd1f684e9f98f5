package io.kvasir.compute.cuda;

/// A call of the CUDA driver that failed.
public final class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// The device has not so much memory.
  public static final int OUT_OF_MEMORY = 2;

  private final String call;
  private final int code;

  /// @param call the driver's function
  /// @param code its result
  /// @param name the driver's name for the result, such as `CUDA_ERROR_OUT_OF_MEMORY`
  public CudaException(String call, int code, String name) {
    super("the GPU driver's " + call + " failed with " + code + " (" + name + ")");
    this.call = call;
    this.code = code;
  }

  /// With a sentence that says more than the driver does.
  ///
  /// @param message the sentence
  public CudaException(String message, CudaException cause) {
    super(message, cause);
    this.call = cause.call;
    this.code = cause.code;
  }

  public String call() {
    return call;
  }

  public int code() {
    return code;
  }
}
