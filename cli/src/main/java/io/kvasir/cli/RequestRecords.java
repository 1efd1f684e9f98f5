package io.kvasir.cli;

import io.kvasir.server.ServerWatch;
import io.kvasir.sim.TraceRecorder;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// What a server writes down about its requests: a line for each, and a trace for the simulator and
/// the load generator. Neither holds text.
///
/// Safe for use by several threads.
final class RequestRecords implements ServerWatch, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(RequestRecords.class.getName());

  private final long startNanos = System.nanoTime();
  private final @Nullable PrintStream lines;
  private final boolean closesLines;
  private @Nullable TraceRecorder trace;

  private RequestRecords(
      @Nullable PrintStream lines, boolean closesLines, @Nullable TraceRecorder trace) {
    this.lines = lines;
    this.closesLines = closesLines;
    this.trace = trace;
  }

  /// Opens what was asked for.
  ///
  /// @param log file to append lines to, `-` for standard output, or null
  /// @param traceFile file to write anew, or null
  /// @param blockTokens tokens of a block of the trace
  static RequestRecords open(
      @Nullable String log, @Nullable Path traceFile, int blockTokens, Surroundings surroundings)
      throws IOException {
    boolean standard = "-".equals(log);
    PrintStream lines =
        log == null
            ? null
            : standard
                ? surroundings.out()
                : new PrintStream(
                    new BufferedOutputStream(new FileOutputStream(log, true)),
                    false,
                    StandardCharsets.UTF_8);
    TraceRecorder trace = traceFile == null ? null : new TraceRecorder(traceFile, blockTokens);
    return new RequestRecords(lines, !standard, trace);
  }

  @Override
  public void requested(Requested request) {
    if (lines != null) {
      synchronized (lines) {
        lines.println(request.line());
        lines.flush();
      }
    }
  }

  @Override
  public synchronized boolean wantsAnswers() {
    return trace != null;
  }

  @Override
  public synchronized void answered(Answered answer) {
    if (trace == null) {
      return;
    }
    TraceRecorder.Times times =
        new TraceRecorder.Times(
            Math.max(0, answer.submittedNanos() - startNanos),
            Math.max(0, answer.firstTokenNanos() - startNanos),
            Math.max(0, answer.endNanos() - startNanos));
    try {
      trace.record(
          times, answer.salt(), answer.tokens(), answer.promptTokens(), answer.cachedTokens());
      trace.flush();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "event=trace_ended error=" + e);
      trace = null;
    }
  }

  @Override
  public synchronized void close() throws IOException {
    if (lines != null && closesLines) {
      lines.close();
    }
    if (trace != null) {
      trace.close();
      trace = null;
    }
  }
}
