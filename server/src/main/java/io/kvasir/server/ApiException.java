package io.kvasir.server;

import org.jspecify.annotations.Nullable;

/// A request that is answered with an error in OpenAI's form.
final class ApiException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int SOON_SECONDS = 5;

  private final int status;
  private final @Nullable String param;
  private final @Nullable String code;
  private final int retryAfterSeconds;

  ApiException(int status, String message) {
    this(status, message, null, null);
  }

  /// @param param the field at fault, or null
  /// @param code what clients match instead of the status, or null
  ApiException(int status, String message, @Nullable String param, @Nullable String code) {
    this(status, message, param, code, status == 503 ? SOON_SECONDS : 0);
  }

  private ApiException(
      int status,
      String message,
      @Nullable String param,
      @Nullable String code,
      int retryAfterSeconds) {
    super(message, null, false, false);
    this.status = status;
    this.param = param;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /// Too much is asked for right now.
  static ApiException busy(String message, int retryAfterSeconds) {
    return busy(429, message, retryAfterSeconds);
  }

  /// A request that may be sent again later.
  static ApiException busy(int status, String message, int retryAfterSeconds) {
    return new ApiException(status, message, null, null, Math.max(1, retryAfterSeconds));
  }

  /// A field that cannot be used.
  static ApiException field(String name, String message) {
    return new ApiException(400, message, name, null);
  }

  /// A field that would change the answer and is not implemented.
  static ApiException unsupported(String name) {
    return field(name, "'" + name + "' is not supported yet; leave it out");
  }

  /// When the client may try again; 0 where that would not help.
  int retryAfterSeconds() {
    return retryAfterSeconds;
  }

  int status() {
    return status;
  }

  @Nullable String param() {
    return param;
  }

  @Nullable String code() {
    return code;
  }

  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
