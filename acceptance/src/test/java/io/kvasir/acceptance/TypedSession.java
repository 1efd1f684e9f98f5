package io.kvasir.acceptance;

import io.kvasir.acceptance.LauncherHouse.Outcome;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/// Types into a program and waits for what it shows, never longer than a minute for each.
final class TypedSession implements AutoCloseable {
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

  private final Process process;
  private final StringBuilder shown = new StringBuilder();
  private int seen;

  TypedSession(ProcessBuilder builder) throws IOException {
    process = builder.redirectErrorStream(true).start();
    Thread.ofVirtual().start(this::read);
  }

  private void read() {
    byte[] bytes = new byte[4096];
    try (InputStream in = process.getInputStream()) {
      for (int count = in.read(bytes); count >= 0; count = in.read(bytes)) {
        synchronized (shown) {
          shown.append(new String(bytes, 0, count, StandardCharsets.UTF_8));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String shown() {
    synchronized (shown) {
      return shown.toString();
    }
  }

  /// Waits until `text` is shown after what was awaited before.
  void await(String text) throws InterruptedException {
    long start = System.nanoTime();
    while (true) {
      int at = shown().indexOf(text, seen);
      if (at >= 0) {
        seen = at + text.length();
        return;
      }
      if (System.nanoTime() - start > PATIENCE_NANOS) {
        throw new AssertionError("'" + text + "' was not shown, but " + shown());
      }
      Thread.sleep(20);
    }
  }

  /// Types a line and waits for an answer.
  void type(String line, String answer) throws IOException, InterruptedException {
    send(line);
    await(answer);
  }

  private void send(String line) throws IOException {
    OutputStream keyboard = process.getOutputStream();
    keyboard.write((line + "\r").getBytes(StandardCharsets.UTF_8));
    keyboard.flush();
  }

  /// Types the last line and waits for the end of the program.
  Outcome end(String line) throws IOException, InterruptedException {
    send(line);
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError("the program did not end; it showed " + shown());
    }
    return new Outcome(process.exitValue(), shown(), "");
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
