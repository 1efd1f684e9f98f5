package io.kvasir.server;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.common.concurrency.limits.Limit;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.PeerInfo;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.ListenerContext;
import io.helidon.webserver.ProxyProtocolData;
import io.helidon.webserver.Router;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicLong;

/// Notices clients that go away while their answer is computed.
///
/// A writer learns that only at its next write, and an answer that is sent whole, or whose prompt
/// takes long, writes nothing for a while. So every HTTP/1.1 connection reads through a [Wiretap].
final class ClientWatch implements ServerConnectionSelector {
  private static final System.Logger LOG = System.getLogger(ClientWatch.class.getName());

  private final Http1ConnectionSelector http1;
  private final AtomicLong connections = new AtomicLong();
  private final Map<String, Wiretap> taps = new ConcurrentHashMap<>();

  private final Map<String, TimedWriter> writers = new ConcurrentHashMap<>();
  private final ServerLimits limits;
  private volatile boolean closed;

  ClientWatch(Http1ConnectionSelector http1, ServerLimits limits) {
    this.http1 = http1;
    this.limits = limits;
    Thread.ofVirtual().name("kvasir-slow-readers").start(this::dropSlowReaders);
  }

  private void dropSlowReaders() {
    Duration limit = limits.write();
    Duration pause = Duration.ofMillis(Math.clamp(limit.toMillis() / 4, 10, 1_000));
    try {
      while (!closed) {
        Thread.sleep(pause);
        long since = System.nanoTime() - limit.toNanos();
        for (TimedWriter writer : writers.values()) {
          if (writer.giveUp(since)) {
            LOG.log(System.Logger.Level.INFO, "event=slow_reader_dropped");
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Connections that are open.
  int connections() {
    return taps.size();
  }

  void close() {
    closed = true;
  }

  /// The request's head has been read.
  void bodyBegins(ServerRequest request) {
    tap(request).bodyBegins();
  }

  /// The request has been answered.
  ///
  /// @param whole whether all of it was read
  /// @param last whether the connection ends with it
  void requestEnded(ServerRequest request, boolean whole, boolean last) {
    tap(request).requestEnded(whole, last);
  }

  /// Ends the watching.
  interface Watch extends AutoCloseable {
    @Override
    void close();
  }

  /// Runs `gone` if the request's client goes away before the result is closed. The request's body
  /// must have been read.
  Watch watch(ServerRequest request, Runnable gone) {
    Wiretap tap = tap(request);
    tap.watch(gone);
    return tap::unwatch;
  }

  private Wiretap tap(ServerRequest request) {
    Wiretap tap = taps.get(request.socketId());
    if (tap == null) {
      throw new IllegalStateException("the connection " + request.socketId() + " is unknown");
    }
    return tap;
  }

  /// None: there is no other protocol, and what is none gets an answer that says so.
  @Override
  public int bytesToIdentifyConnection() {
    return 0;
  }

  @Override
  public Support supports(BufferData data) {
    return Support.SUPPORTED;
  }

  @Override
  public Set<String> supportedApplicationProtocols() {
    return http1.supportedApplicationProtocols();
  }

  @Override
  public ServerConnection connection(ConnectionContext context) {
    Wiretap tap = new Wiretap(context.dataReader(), context.serverSocket(), limits);
    TimedWriter writer = new TimedWriter(context.dataWriter());
    // The given ids are hashes, which two connections may share.
    String id = context.childSocketId() + "-" + connections.getAndIncrement();
    Tapped tapped = new Tapped(context, id, DataReader.create(tap), writer);
    return new Connection(http1.connection(tapped), id, tap, writer);
  }

  private final class Connection implements ServerConnection {
    private final ServerConnection inner;
    private final String id;
    private final Wiretap tap;
    private final TimedWriter writer;

    Connection(ServerConnection inner, String id, Wiretap tap, TimedWriter writer) {
      this.inner = inner;
      this.id = id;
      this.tap = tap;
      this.writer = writer;
    }

    @Override
    public void handle(Limit limit) throws InterruptedException {
      taps.put(id, tap);
      writers.put(id, writer);
      try {
        inner.handle(limit);
      } finally {
        tap.drain();
        taps.remove(id);
        writers.remove(id);
      }
    }

    @Override
    public Duration idleTime() {
      return inner.idleTime();
    }

    @Override
    public void close(boolean interrupt) {
      inner.close(interrupt);
    }
  }

  /// A connection that reads from another reader and writes to another writer.
  private record Tapped(
      ConnectionContext inner, String childSocketId, DataReader dataReader, DataWriter dataWriter)
      implements ConnectionContext {
    @Override
    public ListenerContext listenerContext() {
      return inner.listenerContext();
    }

    @Override
    public ExecutorService executor() {
      return inner.executor();
    }

    @Override
    public Router router() {
      return inner.router();
    }

    @Override
    public Optional<ProxyProtocolData> proxyProtocolData() {
      return inner.proxyProtocolData();
    }

    @Override
    public HelidonSocket serverSocket() {
      return inner.serverSocket();
    }

    @Override
    public PeerInfo remotePeer() {
      return inner.remotePeer();
    }

    @Override
    public PeerInfo localPeer() {
      return inner.localPeer();
    }

    @Override
    public boolean isSecure() {
      return inner.isSecure();
    }

    @Override
    public String socketId() {
      return inner.socketId();
    }
  }
}
