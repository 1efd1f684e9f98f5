package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// A conversation whose cache outlives its requests: the next request that names it computes only
/// what follows the longest common beginning of its prompt and the tokens already held.
///
/// At most one request at a time uses a conversation. Between requests it can be forked, rewound
/// and saved, by any thread. Close it to let go of its blocks.
public final class Session implements AutoCloseable {
  private final Engine engine;
  private final String salt;

  // Owned by the engine's thread.
  private @Nullable BlockTable table;
  private int[] tokens = new int[0];
  private @Nullable PruneHistory history;
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

  /// Lets go of the session's blocks; a request that still runs goes on to its end.
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      engine.forget(this);
    }
  }

  /// A second conversation with the same past, which it shares.
  ///
  /// @throws IllegalStateException while a request uses the conversation
  public Session fork() {
    Session fork = new Session(engine, salt);
    engine.onCache((cache, sessions) -> sessions.fork(this, fork));
    return fork;
  }

  /// Forgets everything after the first `length` tokens.
  ///
  /// @return how many tokens stay cached; the rest of `length` is computed anew when it is asked
  ///   for
  /// @throws IllegalStateException while a request uses the conversation
  /// @throws IllegalArgumentException where the conversation is shorter
  public int rewind(int length) {
    return engine.onCache((cache, sessions) -> sessions.rewind(this, length));
  }

  /// Tokens that the conversation holds.
  ///
  /// @throws IllegalStateException while a request uses the conversation
  public int[] heldTokens() {
    return engine.onCache((cache, sessions) -> {
      checkIdle();
      return tokens.clone();
    });
  }

  /// Writes the conversation's tokens and their keys and values to a file, from which
  /// [Engine#loadSession] goes on, in this process or another.
  ///
  /// @throws IOException where the file cannot be written; nothing is left of it then
  public void save(Path file) throws IOException {
    engine.saveSession(this, file);
  }

  void checkIdle() {
    if (busy) {
      throw new IllegalStateException("a request is using the session; wait for its end");
    }
    if (closed) {
      throw new IllegalStateException("the session is closed");
    }
  }

  /// The table is used elsewhere for a while.
  void lend() {
    table = null;
  }

  @Nullable BlockTable table() {
    return table;
  }

  boolean belongsTo(Engine other) {
    return engine.equals(other);
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

  /// What was pruned of the conversation, whether its cache is still there or not.
  @Nullable PruneHistory history() {
    return history;
  }

  void remember(@Nullable PruneHistory value) {
    history = value;
  }

  void keep(BlockTable kept, int[] keptTokens) {
    table = kept;
    tokens = keptTokens;
    busy = false;
  }

  /// Blocks the session holds while no request uses it.
  int heldBlocks() {
    return table == null ? 0 : table.blockCount() + table.marginBlocks();
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
