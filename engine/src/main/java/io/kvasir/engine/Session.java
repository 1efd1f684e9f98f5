package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import org.jspecify.annotations.Nullable;

/// A conversation whose cache outlives its requests: the next request that names it computes only
/// what follows the longest common beginning of its prompt and the tokens already held.
///
/// At most one request at a time uses a conversation. Close it to free its blocks.
public final class Session implements AutoCloseable {
  private final Engine engine;
  private final String salt;

  // Owned by the engine's thread.
  private @Nullable BlockTable table;
  private int[] tokens = new int[0];
  private boolean busy;
  private volatile boolean closed;

  Session(Engine engine, String salt) {
    this.engine = engine;
    this.salt = salt;
  }

  /// What keeps the conversation's prefixes apart from others'; empty to share with all that have
  /// none.
  public String salt() {
    return salt;
  }

  /// Frees the session's blocks; a request that still runs is cancelled first.
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      engine.forget(this);
    }
  }

  boolean isClosed() {
    return closed;
  }

  boolean isBusy() {
    return busy;
  }

  /// Takes the table for a request; null where the session holds none yet.
  @Nullable BlockTable acquire() {
    busy = true;
    BlockTable held = table;
    table = null;
    return held;
  }

  /// The tokens that the table's positions stand for.
  int[] tokens() {
    return tokens;
  }

  void keep(BlockTable kept, int[] keptTokens) {
    table = kept;
    tokens = keptTokens;
    busy = false;
  }

  /// Blocks the session holds while no request uses it.
  int heldBlocks() {
    return table == null ? 0 : table.blockCount();
  }

  /// Ends a request that leaves nothing behind.
  void idle() {
    busy = false;
    tokens = new int[0];
  }

  @Nullable BlockTable takeTable() {
    BlockTable held = table;
    table = null;
    tokens = new int[0];
    return held;
  }
}
