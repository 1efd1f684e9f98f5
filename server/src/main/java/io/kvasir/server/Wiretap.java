package io.kvasir.server;

import io.helidon.common.buffers.DataReader;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.http.DirectHandler;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a connection reads from its socket, which can be watched while nothing reads: a thread then
/// waits for the client's next bytes, keeps them for the connection, and notices the end.
///
/// Each part of a request has a time by which it must have come, however slowly its bytes drip.
///
/// All but [#unwatch] is called by the connection's thread.
final class Wiretap implements Supplier<byte @Nullable []> {
  private static final Duration LINGER = Duration.ofSeconds(1);
  private static final long MOST_DRAINED = 256 << 20;

  private final DataReader before;
  private final HelidonSocket socket;
  private final ServerLimits limits;
  private @Nullable CompletableFuture<byte @Nullable []> ahead;
  private volatile @Nullable Runnable gone;
  private Phase phase = Phase.IDLE;
  private long deadlineNanos;
  private boolean unfinished = true;
  private boolean over;
  private long headBytes;

  private enum Phase {
    /// No byte of a request has come.
    IDLE,
    HEAD,
    BODY
  }

  /// @param before holds what was read to tell the protocol
  Wiretap(DataReader before, HelidonSocket socket, ServerLimits limits) {
    this.before = before;
    this.socket = socket;
    this.limits = limits;
    enter(Phase.IDLE, limits.head());
  }

  private void enter(Phase next, Duration limit) {
    phase = next;
    headBytes = 0;
    deadlineNanos = System.nanoTime() + limit.toNanos();
  }

  /// The head has come; the body may follow.
  void bodyBegins() {
    enter(Phase.BODY, limits.body());
  }

  /// The request has been answered.
  ///
  /// @param whole whether all of it was read
  /// @param last whether the client sends no other: the web server would wait for one all the same
  void requestEnded(boolean whole, boolean last) {
    enter(Phase.IDLE, limits.idle());
    unfinished = !whole;
    over = last;
  }

  /// Reads for a while what the client still sends, where an answer came before the request's end.
  /// A socket that is closed over unread bytes is reset, and a client that is reset loses the
  /// answer.
  void drain() {
    if (!unfinished) {
      return;
    }
    enter(Phase.IDLE, limits.head().compareTo(LINGER) < 0 ? limits.head() : LINGER);
    try {
      long bytes = 0;
      for (byte[] read = next(); read != null && bytes < MOST_DRAINED; read = next()) {
        bytes += read.length;
      }
    } catch (RuntimeException e) {
      // Gone is as good as closed.
    }
  }

  /// The next bytes, null at the end.
  ///
  /// @throws RequestException with status 408 where they came too late, 431 where the head has no
  ///   end
  @Override
  public byte @Nullable [] get() {
    if (over) {
      return null;
    }
    if (phase == Phase.HEAD && headBytes > limits.headBytes()) {
      throw refusal(
          Status.create(431, "Request Header Fields Too Large"),
          "the request's head is larger than the limit of %d bytes".formatted(limits.headBytes()));
    }
    byte[] bytes = next();
    unfinished = bytes != null;
    if (phase == Phase.IDLE) {
      enter(Phase.HEAD, limits.head());
    }
    headBytes += bytes == null ? 0 : bytes.length;
    return bytes;
  }

  private byte @Nullable [] next() {
    CompletableFuture<byte @Nullable []> pending = ahead;
    if (pending == null) {
      int available = before.available();
      if (available > 0) {
        return before.readBuffer(available).readBytes();
      }
      pending = startReading();
      ahead = pending;
    }
    try {
      long left = Math.max(0, deadlineNanos - System.nanoTime());
      byte[] bytes = pending.get(left, TimeUnit.NANOSECONDS);
      ahead = null;
      return bytes;
    } catch (TimeoutException e) {
      return late();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    } catch (ExecutionException e) {
      ahead = null;
      throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e);
    }
  }

  /// Only another thread can be waited for with a limit: the socket has none, and to interrupt a
  /// read closes it, so that the client could not be told why.
  private CompletableFuture<byte @Nullable []> startReading() {
    CompletableFuture<byte @Nullable []> started = new CompletableFuture<>();
    Thread.startVirtualThread(() -> readAhead(started));
    return started;
  }

  /// A connection that only waited ends without a word.
  private byte @Nullable [] late() {
    return switch (phase) {
      case IDLE -> null;
      case HEAD -> throw tooLate("head", limits.head());
      case BODY -> throw tooLate("body", limits.body());
    };
  }

  private static RequestException tooLate(String part, Duration limit) {
    return refusal(
        Status.REQUEST_TIMEOUT_408,
        "the request's %s did not come within %s s".formatted(part, limit.toMillis() / 1e3));
  }

  private static RequestException refusal(Status status, String message) {
    return RequestException.builder()
        .type(DirectHandler.EventType.BAD_REQUEST)
        .status(status)
        .setKeepAlive(false)
        .safeMessage(true)
        .message(message)
        .build();
  }

  /// Runs `action` if the client goes away before [#unwatch].
  void watch(Runnable action) {
    gone = action;
    CompletableFuture<byte @Nullable []> pending = ahead;
    if (pending == null) {
      ahead = startReading();
    } else if (pending.isDone()) {
      ended(pending);
    }
  }

  void unwatch() {
    gone = null;
  }

  private void readAhead(CompletableFuture<byte @Nullable []> result) {
    try {
      result.complete(socket.get());
    } catch (RuntimeException e) {
      result.completeExceptionally(e);
    }
    ended(result);
  }

  private void ended(CompletableFuture<byte @Nullable []> result) {
    Runnable action = gone;
    if (action != null && (result.isCompletedExceptionally() || result.join() == null)) {
      action.run();
    }
  }
}
