package io.kvasir.sim;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads traces, one JSON object a line. The first line tells which of two forms a file has:
///
/// - **Mooncake's** (Qin et al., FAST 2025): `timestamp` in milliseconds, `input_length`,
///   `output_length`, and `hash_ids`, one number per begun block of 512 prompt tokens. Replayed in
///   the order of the file. Only `hash_ids` must be there: without a time a request comes with the
///   one before it, without lengths all its blocks are full.
/// - **Kvasir's own**, as [TraceWriter] writes it and `docs/simulator.md` describes it. Requests
///   are written when they end and replayed in the order in which they came.
///
/// Unknown fields are skipped, so both forms can grow. Empty lines are skipped.
public final class TraceReader {
  /// Prompt tokens of a block of a Mooncake trace.
  static final int MOONCAKE_BLOCK_TOKENS = 512;

  private static final double MAX_MILLIS = 4e12;
  private static final long MAX_BLOCK_TOKENS = 1 << 20;

  private final String name;
  private final TraceBuilder builder = new TraceBuilder();
  private final JsonLine json = new JsonLine();
  private Form form = Form.UNKNOWN;
  private int blockTokens;
  private long lastNanos;

  private enum Form {
    UNKNOWN,
    MOONCAKE,
    RECORDED
  }

  private TraceReader(String name) {
    this.name = name;
  }

  /// Reads a file.
  ///
  /// @throws TraceFormatException where a line is damaged, naming file, line and value
  /// @throws IOException where the file cannot be read
  public static Trace read(Path file) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      return read(file.toString(), in);
    }
  }

  /// Reads a stream, which messages and the trace call `name`.
  public static Trace read(String name, InputStream in) throws IOException {
    TraceReader reader = new TraceReader(name);
    LineReader lines = new LineReader(in);
    try {
      while (lines.next()) {
        if (!lines.isBlank()) {
          reader.readRequest(lines);
        }
      }
    } catch (TraceFormatException e) {
      // A line that is too long fails before it counts as read.
      long number = Math.max(1, lines.number());
      throw new TraceFormatException(name + ", line " + number + ": " + e.getMessage());
    }
    return reader.finish();
  }

  private Trace finish() {
    return switch (form) {
      case UNKNOWN -> throw new TraceFormatException(name + " holds no request");
      case MOONCAKE -> builder.inOrder(name, MOONCAKE_BLOCK_TOKENS);
      case RECORDED -> builder.byArrival(name, blockTokens);
    };
  }

  private void readRequest(LineReader lines) {
    json.open(lines.bytes(), lines.length());
    Fields fields = new Fields();
    for (String key = json.nextKey(); key != null; key = json.nextKey()) {
      readField(key, fields);
    }
    Form found = fields.version > 0 ? Form.RECORDED : fields.ids ? Form.MOONCAKE : Form.UNKNOWN;
    if (found == Form.UNKNOWN) {
      throw new TraceFormatException(
          "neither \"hash_ids\" (Mooncake) nor \"kvasir_trace\" (recorded by Kvasir) is there");
    }
    if (form != Form.UNKNOWN && form != found) {
      throw new TraceFormatException("a request of another form than those before it");
    }
    form = found;
    builder.endRequest(form == Form.MOONCAKE ? mooncake(fields) : recorded(fields));
  }

  private void readField(String key, Fields fields) {
    switch (key) {
      case "timestamp", "arrival_ms" -> fields.arrivalMillis = millis(key);
      case "input_length", "prompt_tokens" -> fields.prompt = count(key, Integer.MAX_VALUE);
      case "output_length", "output_tokens" -> fields.output = count(key, Integer.MAX_VALUE);
      case "kvasir_trace" -> fields.version = version();
      case "block_tokens" -> fields.blockTokens = count(key, MAX_BLOCK_TOKENS);
      case "hash_ids" -> {
        fields.ids = true;
        noSecondList();
        for (json.openArray(); json.nextItem(); ) {
          builder.block(json.readLong());
        }
      }
      case "blocks" -> {
        fields.blocks = true;
        noSecondList();
        for (json.openArray(); json.nextItem(); ) {
          builder.block(json.readHex());
        }
      }
      default -> json.skip();
    }
  }

  private void noSecondList() {
    if (builder.openBlocks() > 0) {
      throw new TraceFormatException("the request has two lists of blocks");
    }
  }

  private TraceRequest mooncake(Fields fields) {
    int blocks = builder.openBlocks();
    long tokens = fields.prompt >= 0 ? fields.prompt : (long) blocks * MOONCAKE_BLOCK_TOKENS;
    if (fields.arrivalMillis >= 0) {
      lastNanos = nanos(fields.arrivalMillis);
    }
    return new TraceRequest(lastNanos, (int) tokens, Math.max(0, fields.output), blocks);
  }

  private TraceRequest recorded(Fields fields) {
    require(fields.arrivalMillis >= 0, "arrival_ms");
    require(fields.prompt >= 0, "prompt_tokens");
    require(fields.blockTokens > 0, "block_tokens");
    require(fields.blocks, "blocks");
    if (blockTokens != 0 && blockTokens != fields.blockTokens) {
      throw new TraceFormatException(
          "\"block_tokens\" is %d but was %d before; only traces of one block size can be replayed"
              .formatted(fields.blockTokens, blockTokens));
    }
    blockTokens = fields.blockTokens;
    int output = Math.max(0, fields.output);
    long least = fields.prompt / blockTokens;
    long most = ((long) fields.prompt + output) / blockTokens;
    int blocks = builder.openBlocks();
    if (blocks < least || blocks > most) {
      throw new TraceFormatException(
          "%d blocks of %d tokens cannot belong to %d prompt and %d output tokens"
              .formatted(blocks, blockTokens, fields.prompt, output));
    }
    return new TraceRequest(nanos(fields.arrivalMillis), fields.prompt, output, (int) least);
  }

  private static void require(boolean present, String field) {
    if (!present) {
      throw new TraceFormatException("\"" + field + "\" is missing or 0");
    }
  }

  private double millis(String key) {
    double value = json.readNumber();
    if (!(value >= 0 && value <= MAX_MILLIS)) {
      throw new TraceFormatException(
          "\"" + key + "\" must be 0 to 4e12 milliseconds, not " + JsonLine.number(value));
    }
    return value;
  }

  private int count(String key, long most) {
    long value = json.readLong();
    if (value < 0 || value > most) {
      throw new TraceFormatException(
          "\"" + key + "\" must be a count up to " + most + ", not " + value);
    }
    return (int) value;
  }

  private int version() {
    long version = json.readLong();
    if (version != TraceWriter.VERSION) {
      throw new TraceFormatException(
          "a trace of form "
              + version
              + " was recorded by another Kvasir; this one reads form "
              + TraceWriter.VERSION);
    }
    return (int) version;
  }

  private static long nanos(double millis) {
    return Math.round(millis * 1e6);
  }

  /// What a line has said so far; -1 where nothing.
  private static final class Fields {
    private double arrivalMillis = -1;
    private int prompt = -1;
    private int output = -1;
    private int version;
    private int blockTokens;
    private boolean ids;
    private boolean blocks;
  }
}
