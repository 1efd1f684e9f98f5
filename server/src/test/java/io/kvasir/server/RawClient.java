package io.kvasir.server;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;

/// A connection on which a test writes any bytes.
final class RawClient implements AutoCloseable {
  private static final int MOST = 1 << 20;

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;

  RawClient(int port) throws IOException {
    this(port, 6_000);
  }

  /// @param timeoutMillis longest wait for a byte
  RawClient(int port, int timeoutMillis) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(timeoutMillis);
    socket.setTcpNoDelay(true);
    in = socket.getInputStream();
    out = socket.getOutputStream();
  }

  RawClient send(String text) throws IOException {
    return send(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  RawClient send(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
    return this;
  }

  /// Sends as much as the server takes.
  RawClient flood(byte[] piece, int times) {
    try {
      for (int i = 0; i < times; i++) {
        out.write(piece);
      }
    } catch (IOException e) {
      // The server has had enough.
    }
    return this;
  }

  /// As [#flood], while the test goes on.
  void floodAside(byte[] piece, int times) {
    Thread.ofVirtual().name("flood").start(() -> flood(piece, times));
  }

  /// Sends a byte at a time, with pauses, until the server closes or `limit` are sent.
  ///
  /// @return how many were taken
  int drip(char value, int limit, long pauseMillis) throws InterruptedException {
    for (int i = 0; i < limit; i++) {
      try {
        out.write(value);
      } catch (IOException e) {
        return i;
      }
      Thread.sleep(pauseMillis);
    }
    return limit;
  }

  /// All that comes until the server closes.
  String rest() {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    try {
      byte[] piece = new byte[8_192];
      for (int n = in.read(piece); n >= 0 && all.size() < MOST; n = in.read(piece)) {
        all.write(piece, 0, n);
      }
    } catch (SocketTimeoutException e) {
      throw new AssertionError("the server keeps the connection open after: " + all, e);
    } catch (IOException e) {
      // A reset: what came before it counts.
    }
    return all.toString(StandardCharsets.UTF_8);
  }

  /// What comes until `end` has come so many times.
  String until(String end, int times) throws IOException {
    StringBuilder all = new StringBuilder();
    int from = 0;
    int found = 0;
    while (found < times) {
      int value = in.read();
      if (value < 0) {
        break;
      }
      all.append((char) value);
      if (all.indexOf(end, from) >= 0) {
        found++;
        from = all.length();
      }
    }
    return all.toString();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
