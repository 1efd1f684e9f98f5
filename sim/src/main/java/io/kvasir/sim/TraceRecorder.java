package io.kvasir.sim;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Records a server's requests as a trace that holds no text and from which none can be guessed.
///
/// A block's hash is the first 64 bits of an HMAC-SHA256 over the hash before it and the block's
/// tokens; the chain starts with the salt's. The key is drawn when recording begins and never
/// written, so whoever has the trace cannot test a guess of what was said, and hashes of two
/// recordings have nothing in common.
///
/// Safe for use by several threads.
public final class TraceRecorder implements AutoCloseable {
  private static final String ALGORITHM = "HmacSHA256";

  private final TraceWriter writer;
  private final int blockTokens;
  private final Mac mac;
  private final byte[] bytes;

  /// Opens `file` anew.
  ///
  /// @param blockTokens tokens of a block of the trace, best those of the cache
  public TraceRecorder(Path file, int blockTokens) throws IOException {
    this(file, blockTokens, randomKey());
  }

  TraceRecorder(Path file, int blockTokens, byte[] key) throws IOException {
    if (blockTokens < 1) {
      throw new IllegalArgumentException("a block needs at least one token: " + blockTokens);
    }
    this.blockTokens = blockTokens;
    this.bytes = new byte[Long.BYTES + Integer.BYTES * blockTokens];
    try {
      mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(key, ALGORITHM));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has " + ALGORITHM, e);
    }
    writer = new TraceWriter(file);
  }

  private static byte[] randomKey() {
    byte[] key = new byte[32];
    new SecureRandom().nextBytes(key);
    return key;
  }

  /// Writes a request that ended.
  ///
  /// @param times when it came, answered first and ended, in nanoseconds since recording began
  /// @param salt its tenant's salt; empty for none
  /// @param tokens prompt and answer, as far as their keys and values were computed
  /// @param promptTokens how many of them are the prompt's
  /// @param cachedTokens how many of those were found in the cache
  public synchronized void record(
      Times times, String salt, int[] tokens, int promptTokens, int cachedTokens)
      throws IOException {
    long saltHash = salt.isEmpty() ? 0 : hashOfSalt(salt);
    long[] hashes = new long[tokens.length / blockTokens];
    long past = saltHash;
    for (int i = 0; i < hashes.length; i++) {
      past = hashOfBlock(past, tokens, i * blockTokens);
      hashes[i] = past;
    }
    RecordedRequest request =
        new RecordedRequest(
            times.arrivalNanos(),
            times.firstTokenNanos(),
            times.endNanos(),
            saltHash,
            blockTokens,
            promptTokens,
            tokens.length - promptTokens,
            cachedTokens,
            hashes.length);
    writer.write(request, i -> hashes[i]);
  }

  /// When a request came, gave its first token and ended, in nanoseconds since recording began.
  public record Times(long arrivalNanos, long firstTokenNanos, long endNanos) {}

  private long hashOfSalt(String salt) {
    return first64(mac.doFinal(salt.getBytes(StandardCharsets.UTF_8)));
  }

  private long hashOfBlock(long past, int[] tokens, int from) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    buffer.putLong(past);
    for (int i = 0; i < blockTokens; i++) {
      buffer.putInt(tokens[from + i]);
    }
    return first64(mac.doFinal(bytes));
  }

  private static long first64(byte[] digest) {
    return ByteBuffer.wrap(Arrays.copyOf(digest, Long.BYTES)).getLong();
  }

  /// Makes what was recorded so far visible to readers of the file.
  public synchronized void flush() throws IOException {
    writer.flush();
  }

  @Override
  public synchronized void close() throws IOException {
    writer.close();
  }
}
