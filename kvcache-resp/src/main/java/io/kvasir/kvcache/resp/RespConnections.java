package io.kvasir.kvcache.resp;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.ClientSetInfoConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;

/// A few connections, made when first needed. One that has failed is never used again, nor are
/// those that were idle then: they lead to the same server. Any thread may call.
final class RespConnections implements AutoCloseable {
  private final RespSockets sockets;
  private final JedisClientConfig client;
  private final Semaphore permits;
  private final long patienceMillis;
  private final Deque<Jedis> idle = new ArrayDeque<>();
  private boolean closed;

  /// @throws IOException where the authority's certificate cannot be used
  RespConnections(RespTierConfig config) throws IOException {
    RespLimits limits = config.limits();
    this.sockets = new RespSockets(config);
    this.permits = new Semaphore(limits.connections());
    this.patienceMillis = limits.readMillis();
    DefaultJedisClientConfig.Builder builder =
        DefaultJedisClientConfig.builder()
            .resp2()
            .connectionTimeoutMillis(limits.connectMillis())
            .socketTimeoutMillis(limits.readMillis())
            .database(config.database())
            .clientSetInfoConfig(ClientSetInfoConfig.DISABLED);
    if (config.password() != null) {
      builder.user(config.user()).password(config.password());
    }
    this.client = builder.build();
  }

  /// An idle connection or a new one; [#give] it back or [#drop] it.
  ///
  /// @return null where all are busy for too long
  /// @throws RuntimeException where the server cannot be reached or does not let us in
  @Nullable Jedis take() {
    try {
      if (!permits.tryAcquire(patienceMillis, TimeUnit.MILLISECONDS)) {
        return null;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
    synchronized (this) {
      Jedis present = idle.pollFirst();
      if (present != null) {
        return present;
      }
    }
    boolean connected = false;
    try {
      Jedis fresh = new Jedis(sockets, client);
      connected = true;
      return fresh;
    } finally {
      if (!connected) {
        permits.release();
      }
    }
  }

  void give(Jedis connection) {
    boolean keep;
    synchronized (this) {
      keep = !closed;
      if (keep) {
        idle.addFirst(connection);
      }
    }
    if (!keep) {
      quit(connection);
    }
    permits.release();
  }

  /// Closes a connection that failed, and the idle ones.
  void drop(Jedis failed) {
    quit(failed);
    permits.release();
    closeIdle();
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    closeIdle();
  }

  private void closeIdle() {
    while (true) {
      Jedis connection;
      synchronized (this) {
        connection = idle.pollFirst();
      }
      if (connection == null) {
        return;
      }
      quit(connection);
    }
  }

  private static void quit(Jedis connection) {
    try {
      connection.close();
    } catch (RuntimeException e) {
      // It is gone, which is what was wanted.
    }
  }
}
