package io.kvasir.sim;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/// Cuts a stream into lines of bounded length. The bytes of a line are those in [#bytes] up to
/// [#length], valid until the next one is read.
final class LineReader {
  /// The longest line that is read, in bytes.
  static final int MAX_LINE_BYTES = 16 << 20;

  private final InputStream in;
  private final byte[] input = new byte[1 << 16];
  private int at;
  private int end;
  private byte[] line = new byte[1 << 12];
  private int length;
  private long number;

  LineReader(InputStream in) {
    this.in = in;
  }

  /// Reads the next line, without its end.
  ///
  /// @return false at the end of the stream
  /// @throws TraceFormatException where the line is longer than [#MAX_LINE_BYTES]
  boolean next() throws IOException {
    length = 0;
    if (at == end && !fill()) {
      return false;
    }
    number++;
    do {
      int stop = at;
      while (stop < end && input[stop] != '\n') {
        stop++;
      }
      append(stop - at);
      at = stop;
      if (at < end) {
        at++;
        break;
      }
    } while (fill());
    if (length > 0 && line[length - 1] == '\r') {
      length--;
    }
    return true;
  }

  private boolean fill() throws IOException {
    at = 0;
    end = Math.max(0, in.read(input));
    return end > 0;
  }

  private void append(int count) {
    if (length + count > MAX_LINE_BYTES) {
      throw new TraceFormatException("the line is longer than " + MAX_LINE_BYTES + " bytes");
    }
    if (length + count > line.length) {
      line = Arrays.copyOf(line, Math.max(length + count, 2 * line.length));
    }
    System.arraycopy(input, at, line, length, count);
    length += count;
  }

  byte[] bytes() {
    return line;
  }

  int length() {
    return length;
  }

  /// The number of the line that was read last; the first is 1.
  long number() {
    return number;
  }

  /// Whether the line holds nothing but white space.
  boolean isBlank() {
    for (int i = 0; i < length; i++) {
      if (line[i] != ' ' && line[i] != '\t') {
        return false;
      }
    }
    return true;
  }
}
