package io.kvasir.cli.load;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// One HTTP/1.1 connection that knows when each byte came.
///
/// The JDK's client hands bytes from its selector's thread to an executor and from there to the
/// reader; on a machine whose processors compute, each hand-over adds up to milliseconds to a time
/// to first token. Here the thread that waits reads the socket itself. Used by one thread.
final class HttpLink implements AutoCloseable {
  private static final int LONGEST_LINE = 4 << 20;
  private static final int MOST_HEADERS = 200;

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;
  private final byte[] buffer = new byte[8 << 10];
  private final ByteArrayOutputStream text = new ByteArrayOutputStream();
  private final ByteArrayOutputStream frame = new ByteArrayOutputStream();
  private int at;
  private int end;
  private long deadlineNanos;
  private long readNanos;
  private boolean begun;

  private int status;
  private boolean chunked;
  private boolean untilClose;
  private boolean keepAlive;
  private long left;
  private boolean ended = true;

  HttpLink(Socket socket) throws IOException {
    this.socket = socket;
    this.in = socket.getInputStream();
    this.out = socket.getOutputStream();
  }

  /// Sends a request.
  ///
  /// @param deadlineNanos until when its answer must have ended, on [System#nanoTime]'s clock
  void send(byte[] request, long deadlineNanos) throws IOException {
    this.deadlineNanos = deadlineNanos;
    this.begun = false;
    out.write(request);
    out.flush();
  }

  /// Whether anything of the answer has come.
  boolean hasBegun() {
    return begun;
  }

  /// When the bytes that were read last came out of the socket.
  long readNanos() {
    return readNanos;
  }

  /// Whether the connection may carry another request.
  boolean isReusable() {
    return ended && keepAlive;
  }

  /// The status of the answer whose head was read last.
  int status() {
    return status;
  }

  /// Reads the answer's head.
  void readHead() throws IOException {
    String line = line();
    String[] words = line.split(" ", 3);
    if (!line.startsWith("HTTP/1.") || words.length < 2 || !words[1].matches("\\d{3}")) {
      throw new IOException("the server does not speak HTTP/1.1");
    }
    status = Integer.parseInt(words[1]);
    chunked = false;
    keepAlive = line.startsWith("HTTP/1.1");
    left = -1;
    int headers = 0;
    for (String header = line(); !header.isEmpty(); header = line()) {
      if (++headers > MOST_HEADERS) {
        throw new IOException("the server sent too many headers");
      }
      readHeader(header.toLowerCase(Locale.ROOT));
    }
    boolean bodiless = status == 204 || status == 304;
    ended = bodiless || !chunked && left == 0;
    untilClose = !chunked && left < 0 && !bodiless;
    keepAlive &= !untilClose;
    left = chunked ? 0 : left;
  }

  private void readHeader(String header) throws IOException {
    int colon = header.indexOf(':');
    String name = header.substring(0, Math.max(0, colon));
    String value = header.substring(colon + 1).strip();
    switch (name) {
      case "content-length" -> {
        try {
          left = Long.parseLong(value);
        } catch (NumberFormatException e) {
          throw new IOException("the server sent the content length '" + value + "'", e);
        }
      }
      case "transfer-encoding" -> chunked = value.endsWith("chunked");
      case "connection" -> keepAlive &= !value.contains("close");
      default -> {}
    }
  }

  /// The next byte of the body, -1 at its end.
  private int body() throws IOException {
    if (ended) {
      return -1;
    }
    if (untilClose) {
      int value = read();
      ended = value < 0;
      return value;
    }
    if (chunked && left == 0 && !nextChunk()) {
      return -1;
    }
    int value = required();
    left--;
    if (left == 0) {
      if (chunked) {
        line();
      } else {
        ended = true;
      }
    }
    return value;
  }

  private boolean nextChunk() throws IOException {
    String size = line();
    int extension = size.indexOf(';');
    try {
      left = Long.parseLong(extension < 0 ? size : size.substring(0, extension), 16);
    } catch (NumberFormatException e) {
      throw new IOException("the server sent the chunk size '" + size + "'", e);
    }
    if (left > 0) {
      return true;
    }
    while (!line().isEmpty()) {
      // Trailers tell nothing of interest.
    }
    ended = true;
    return false;
  }

  /// The next line of the body without its end; null at the body's end.
  @Nullable String bodyLine() throws IOException {
    text.reset();
    int value = body();
    if (value < 0) {
      return null;
    }
    while (value >= 0 && value != '\n') {
      append(text, value);
      value = body();
    }
    return withoutReturn(text);
  }

  /// The rest of the body.
  String rest() throws IOException {
    text.reset();
    for (int value = body(); value >= 0; value = body()) {
      append(text, value);
    }
    return text.toString(StandardCharsets.UTF_8);
  }

  private String line() throws IOException {
    frame.reset();
    for (int value = required(); value != '\n'; value = required()) {
      append(frame, value);
    }
    return withoutReturn(frame);
  }

  private static void append(ByteArrayOutputStream to, int value) throws IOException {
    if (to.size() >= LONGEST_LINE) {
      throw new IOException("the server sent more than " + LONGEST_LINE + " bytes in one piece");
    }
    to.write(value);
  }

  private static String withoutReturn(ByteArrayOutputStream bytes) {
    String line = bytes.toString(StandardCharsets.UTF_8);
    return line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
  }

  private int required() throws IOException {
    int value = read();
    if (value < 0) {
      throw new EOFException("the server closed the connection in the middle of an answer");
    }
    return value;
  }

  private int read() throws IOException {
    if (at == end) {
      long millis = (deadlineNanos - System.nanoTime()) / 1_000_000;
      if (millis <= 0) {
        throw new SocketTimeoutException("the answer took too long");
      }
      socket.setSoTimeout((int) Math.min(millis, Integer.MAX_VALUE));
      int count = in.read(buffer);
      readNanos = System.nanoTime();
      if (count <= 0) {
        return -1;
      }
      begun = true;
      at = 0;
      end = count;
    }
    return buffer[at++] & 0xff;
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // Closed is closed.
    }
  }
}
