package io.kvasir.model.hub;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// A download or look-up that cannot succeed; the message is one sentence for the user that says
/// what to do.
public final class HubException extends IOException {
  private static final long serialVersionUID = 1L;

  /// What went wrong.
  public enum Kind {
    /// No or a wrong token (HTTP 401).
    UNAUTHORIZED,
    /// The token's owner may not read this, for instance before accepting a licence (HTTP 403).
    FORBIDDEN,
    /// No such repository, revision or file.
    NOT_FOUND,
    /// Too many requests (HTTP 429).
    RATE_LIMITED,
    /// The server failed, or answered what is no answer of a hub.
    SERVER,
    /// DNS, TLS, connection or timeout.
    UNREACHABLE,
    /// Offline was asked for and the model is not in the cache.
    NOT_CACHED,
    /// No space left, or not enough for what would come.
    DISK_FULL,
    /// The cache folder cannot be read or written.
    STORAGE,
    /// The content is not what its checksum promises.
    CORRUPT,
    /// The server names files or sizes that nobody should trust.
    UNSAFE,
    /// The repository has no file that fits.
    NO_MATCH,
    /// The calling thread was interrupted.
    CANCELLED
  }

  private final Kind kind;

  public HubException(Kind kind, String message) {
    this(kind, message, null);
  }

  public HubException(Kind kind, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
