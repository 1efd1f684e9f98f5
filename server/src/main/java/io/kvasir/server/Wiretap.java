package io.kvasir.server;

import io.helidon.common.buffers.DataReader;
import io.helidon.common.socket.HelidonSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a connection reads from its socket, which can be watched while nothing reads: a thread then
/// waits for the client's next bytes, keeps them for the connection, and notices the end.
///
/// [#get] and [#watch] are called by the connection's thread.
final class Wiretap implements Supplier<byte @Nullable []> {
  private final DataReader before;
  private final HelidonSocket socket;
  private @Nullable CompletableFuture<byte @Nullable []> ahead;
  private volatile @Nullable Runnable gone;

  /// @param before holds what was read to tell the protocol
  Wiretap(DataReader before, HelidonSocket socket) {
    this.before = before;
    this.socket = socket;
  }

  /// The next bytes, null at the end.
  @Override
  public byte @Nullable [] get() {
    CompletableFuture<byte @Nullable []> pending = ahead;
    if (pending != null) {
      ahead = null;
      return joined(pending);
    }
    int available = before.available();
    return available > 0 ? before.readBuffer(available).readBytes() : socket.get();
  }

  private static byte @Nullable [] joined(CompletableFuture<byte @Nullable []> pending) {
    try {
      return pending.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  /// Runs `action` if the client goes away before [#unwatch].
  void watch(Runnable action) {
    gone = action;
    CompletableFuture<byte @Nullable []> pending = ahead;
    if (pending == null) {
      CompletableFuture<byte @Nullable []> started = new CompletableFuture<>();
      ahead = started;
      Thread.startVirtualThread(() -> readAhead(started));
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
