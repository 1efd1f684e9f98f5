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

/// Notices clients that go away while their answer is computed.
///
/// A writer learns that only at its next write, and an answer that is sent whole, or whose prompt
/// takes long, writes nothing for a while. So every HTTP/1.1 connection reads through a [Wiretap].
final class ClientWatch implements ServerConnectionSelector {
  private final Http1ConnectionSelector http1;
  private final Map<String, Wiretap> taps = new ConcurrentHashMap<>();

  ClientWatch(Http1ConnectionSelector http1) {
    this.http1 = http1;
  }

  /// Ends the watching.
  interface Watch extends AutoCloseable {
    @Override
    void close();
  }

  /// Runs `gone` if the request's client goes away before the result is closed. The request's body
  /// must have been read.
  Watch watch(ServerRequest request, Runnable gone) {
    Wiretap tap = taps.get(request.socketId());
    if (tap == null) {
      throw new IllegalStateException("the connection " + request.socketId() + " is unknown");
    }
    tap.watch(gone);
    return tap::unwatch;
  }

  @Override
  public int bytesToIdentifyConnection() {
    return http1.bytesToIdentifyConnection();
  }

  @Override
  public Support supports(BufferData data) {
    return http1.supports(data);
  }

  @Override
  public Set<String> supportedApplicationProtocols() {
    return http1.supportedApplicationProtocols();
  }

  @Override
  public ServerConnection connection(ConnectionContext context) {
    Wiretap tap = new Wiretap(context.dataReader(), context.serverSocket());
    Tapped tapped = new Tapped(context, DataReader.create(tap));
    return new Connection(http1.connection(tapped), context.childSocketId(), tap);
  }

  private final class Connection implements ServerConnection {
    private final ServerConnection inner;
    private final String id;
    private final Wiretap tap;

    Connection(ServerConnection inner, String id, Wiretap tap) {
      this.inner = inner;
      this.id = id;
      this.tap = tap;
    }

    @Override
    public void handle(Limit limit) throws InterruptedException {
      taps.put(id, tap);
      try {
        inner.handle(limit);
      } finally {
        taps.remove(id);
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

  /// A connection that reads from another reader.
  private record Tapped(ConnectionContext inner, DataReader dataReader)
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
    public DataWriter dataWriter() {
      return inner.dataWriter();
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

    @Override
    public String childSocketId() {
      return inner.childSocketId();
    }
  }
}
