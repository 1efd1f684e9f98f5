package io.kvasir.sim;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.IntToLongFunction;

/// Writes traces in Kvasir's own form: one JSON object a line and request, hashes instead of text.
///
/// ```
/// {"kvasir_trace":1,"arrival_ms":12.5,"first_token_ms":80.25,"end_ms":900,"salt":"9f3c0a...",
///  "block_tokens":64,"prompt_tokens":150,"output_tokens":60,"cached_tokens":64,
///  "blocks":["5e1f00...","08ab71...","77c0de..."]}
/// ```
///
/// `docs/simulator.md` says what each field means. Lines may be in any order. Not safe for use by
/// several threads.
public final class TraceWriter implements AutoCloseable {
  /// The number of this form; a reader refuses any other.
  public static final int VERSION = 1;

  private final BufferedWriter out;
  private final StringBuilder line = new StringBuilder();

  /// Opens `file` anew.
  public TraceWriter(Path file) throws IOException {
    out = Files.newBufferedWriter(file, StandardCharsets.US_ASCII);
  }

  /// Writes a request.
  ///
  /// @param blockHash the hash of the block at an index
  public void write(RecordedRequest request, IntToLongFunction blockHash) throws IOException {
    line.setLength(0);
    line.append("{\"kvasir_trace\":").append(VERSION);
    appendMillis("arrival_ms", request.arrivalNanos());
    if (request.endNanos() > 0) {
      appendMillis("first_token_ms", request.firstTokenNanos());
      appendMillis("end_ms", request.endNanos());
    }
    line.append(",\"salt\":\"");
    appendHex(request.saltHash());
    line.append("\",\"block_tokens\":").append(request.blockTokens());
    line.append(",\"prompt_tokens\":").append(request.promptTokens());
    line.append(",\"output_tokens\":").append(request.outputTokens());
    line.append(",\"cached_tokens\":").append(request.cachedTokens());
    line.append(",\"blocks\":[");
    for (int i = 0; i < request.blockCount(); i++) {
      line.append(i == 0 ? "\"" : ",\"");
      appendHex(blockHash.applyAsLong(i));
      line.append('"');
    }
    line.append("]}\n");
    out.append(line);
  }

  /// Writes a whole trace. What it does not know (when requests ended, what was cached) is left out
  /// or 0. A prompt block that the prompt only begins to fill has no place in this form and is left
  /// out.
  public static void write(Trace trace, Path file) throws IOException {
    try (TraceWriter writer = new TraceWriter(file)) {
      for (int i = 0; i < trace.requestCount(); i++) {
        int request = i;
        writer.write(described(trace, request), index -> trace.hash(trace.block(request, index)));
      }
    }
  }

  private static RecordedRequest described(Trace trace, int request) {
    int blockTokens = trace.blockTokens();
    int full = trace.promptTokens(request) / blockTokens;
    int known = Math.min(full, trace.promptBlocks(request));
    int prompt = known * blockTokens + trace.promptTokens(request) % blockTokens;
    boolean whole = known == full && trace.promptBlocks(request) == full;
    return new RecordedRequest(
        trace.arrivalNanos(request),
        0,
        0,
        0,
        blockTokens,
        prompt,
        trace.outputTokens(request),
        0,
        whole ? trace.blockCount(request) : known);
  }

  /// Makes what was written so far visible to readers of the file.
  public void flush() throws IOException {
    out.flush();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }

  private void appendMillis(String field, long nanos) {
    line.append(",\"").append(field).append("\":");
    line.append(nanos / 1_000_000);
    long micros = nanos / 1000 % 1000;
    if (micros != 0) {
      line.append('.').append((char) ('0' + micros / 100));
      line.append((char) ('0' + micros / 10 % 10)).append((char) ('0' + micros % 10));
    }
  }

  private void appendHex(long value) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      line.append(Character.forDigit((int) (value >>> shift) & 15, 16));
    }
  }
}
