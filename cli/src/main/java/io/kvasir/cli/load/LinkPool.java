package io.kvasir.cli.load;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.util.concurrent.ConcurrentLinkedDeque;
import org.jspecify.annotations.Nullable;

/// Connections that wait for their next request. Safe for use by several threads.
final class LinkPool implements AutoCloseable {
  private final HttpTarget target;
  private final ConcurrentLinkedDeque<HttpLink> idle = new ConcurrentLinkedDeque<>();

  LinkPool(HttpTarget target) {
    this.target = target;
  }

  HttpTarget target() {
    return target;
  }

  /// Sends a request and reads the head of its answer, over an idle connection, or a new one where
  /// none is idle or the server closed it in the meantime.
  HttpLink ask(byte[] request, long deadlineNanos) throws IOException {
    HttpLink old = idle.pollFirst();
    if (old != null) {
      try {
        return asked(old, request, deadlineNanos);
      } catch (SocketTimeoutException e) {
        throw e;
      } catch (IOException e) {
        if (old.hasBegun()) {
          throw e;
        }
      }
    }
    return asked(new HttpLink(target.connect()), request, deadlineNanos);
  }

  private static HttpLink asked(HttpLink link, byte[] request, long deadlineNanos)
      throws IOException {
    try {
      link.send(request, deadlineNanos);
      link.readHead();
      return link;
    } catch (IOException e) {
      link.close();
      throw e;
    }
  }

  /// Ends the use of a connection.
  void giveBack(HttpLink link) {
    if (link.isReusable()) {
      idle.addFirst(link);
    } else {
      link.close();
    }
  }

  /// The body of a small answer with status 200; null for any other status.
  @Nullable String fetch(String method, String route, byte @Nullable [] body, long timeoutNanos)
      throws IOException {
    HttpLink link = ask(target.request(method, route, body), System.nanoTime() + timeoutNanos);
    try {
      String text = link.rest();
      return link.status() == 200 ? text : null;
    } finally {
      giveBack(link);
    }
  }

  @Override
  public void close() {
    for (HttpLink link = idle.poll(); link != null; link = idle.poll()) {
      link.close();
    }
  }
}
