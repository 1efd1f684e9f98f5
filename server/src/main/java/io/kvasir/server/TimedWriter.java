package io.kvasir.server;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/// What a connection writes to, with an eye on how long one write takes. A client that reads
/// nothing lets the socket's buffers fill, and the next write waits for it: [#giveUp] then ends the
/// write and with it the connection. What the engine makes meanwhile is a list of token ids, at
/// most as long as the context.
final class TimedWriter implements DataWriter {
  private final DataWriter inner;
  private @Nullable Thread writing;
  private long sinceNanos;
  private boolean givenUp;

  TimedWriter(DataWriter inner) {
    this.inner = inner;
  }

  /// Ends a write that began before `nanos` on [System#nanoTime]'s clock. @return whether one did
  synchronized boolean giveUp(long nanos) {
    Thread thread = writing;
    if (thread == null || sinceNanos - nanos > 0 || givenUp) {
      return false;
    }
    givenUp = true;
    // Interrupting a virtual thread that waits for a socket closes the socket.
    thread.interrupt();
    return true;
  }

  private void timed(Runnable write) {
    synchronized (this) {
      writing = Thread.currentThread();
      sinceNanos = System.nanoTime();
    }
    try {
      write.run();
    } finally {
      end();
    }
  }

  private synchronized void end() {
    writing = null;
    if (givenUp) {
      // Seen by nobody but the write.
      boolean _ = Thread.interrupted();
      throw new UncheckedIOException(new IOException("the client reads nothing"));
    }
  }

  @Override
  public void write(BufferData... buffers) {
    timed(() -> inner.write(buffers));
  }

  @Override
  public void write(BufferData buffer) {
    timed(() -> inner.write(buffer));
  }

  @Override
  public void writeNow(BufferData... buffers) {
    timed(() -> inner.writeNow(buffers));
  }

  @Override
  public void writeNow(BufferData buffer) {
    timed(() -> inner.writeNow(buffer));
  }

  @Override
  public void flush() {
    timed(inner::flush);
  }

  @Override
  public void close() {
    inner.close();
  }
}
