package io.kvasir.server;

import io.helidon.common.tls.Tls;
import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.WebServerConfig;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Serves one model over HTTP in OpenAI's form.
///
/// ```java
/// try (KvasirServer server = KvasirServer.start(model, ServerConfig.local(8080))) {
///   ...
/// }
/// ```
public final class KvasirServer implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(KvasirServer.class.getName());
  private static final int BACKLOG = 4_096;
  private static final int STOP_SECONDS = 5;

  private final ServedModel model;
  private final ServerConfig config;
  private final Gate gate;
  private final Tenants tenants;
  private final Metrics metrics;
  private final ClientWatch clients;
  private final Generation generation;
  private final PageHandler page = new PageHandler();
  private final HttpSessions sessions;
  private final InspectHandler inspect;
  private final WebServer web;

  private KvasirServer(ServedModel model, ServerConfig config, @Nullable Tls tls) {
    this.model = model;
    this.config = config;
    ServerLimits limits = config.limits();
    this.gate = new Gate(limits.requests());
    this.tenants = new Tenants(config.access());
    this.metrics = new Metrics(model);
    // The connection's reader bounds heads, with a status that says so.
    Http1Config http1 = Http1Config.builder().maxHeadersSize(2 * limits.headBytes()).build();
    this.clients = new ClientWatch(Http1ConnectionSelector.builder().config(http1).build(), limits);
    this.sessions = new HttpSessions(model.engine(), config.sessions(), System::nanoTime);
    this.generation = new Generation(new Serving(model, config, metrics, gate, clients), sessions);
    this.inspect = new InspectHandler(model, clients, metrics.pace());
    WebServerConfig.Builder builder =
        WebServer.builder()
            .host(config.host())
            .port(config.port())
            .backlog(BACKLOG)
            .useNio(false)
            .maxPayloadSize(limits.bodyBytes())
            .maxTcpConnections(limits.connections())
            .connectionOptions(options -> options.tcpNoDelay(true))
            .protocolsDiscoverServices(false)
            .addConnectionSelector(clients)
            .directHandlers(directHandlers())
            .shutdownHook(false)
            .routing(this::route);
    if (tls != null) {
      builder.tls(tls);
    }
    this.web = builder.build();
  }

  /// Starts to listen; returns when requests are answered.
  ///
  /// @throws IOException where the address cannot be listened on or the TLS files not be read
  public static KvasirServer start(ServedModel model, ServerConfig config) throws IOException {
    TlsFiles files = config.tls();
    Tls tls = files == null ? null : TlsSetup.of(files);
    probe(config);
    KvasirServer server = new KvasirServer(model, config, tls);
    server.web.start();
    if (!server.web.isRunning()) {
      throw new BindException("the address cannot be used");
    }
    return server;
  }

  /// The web server only logs why it cannot listen, so that is tried before.
  private static void probe(ServerConfig config) throws IOException {
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(config.host(), config.port()));
    }
  }

  public int port() {
    return web.port();
  }

  /// Connections that are open.
  int connections() {
    return clients.connections();
  }

  private void route(HttpRouting.Builder routing) {
    StatusHandler status = new StatusHandler(model, metrics, gate, config.version());
    Dialect dialect = Dialect.of(model);
    TokenizeHandler tokenize = new TokenizeHandler(model, dialect, config.maxBodyBytes());
    guard(routing, page.paths());
    routing.addFilter(new ForeignPages());
    get(routing, "/health", status::health);
    get(routing, "/live", status::live);
    get(routing, "/ready", status::ready);
    get(routing, "/version", status::version);
    get(routing, "/metrics", status::metrics);
    get(routing, "/v1/models", status::models);
    get(routing, "/v1/models/{id}", status::model);
    post(routing, "/v1/chat/completions", new ChatHandler(model, dialect, generation));
    post(routing, "/v1/completions", new CompletionsHandler(model, generation));
    AnthropicHandler anthropic = new AnthropicHandler(model, dialect, generation);
    post(routing, "/v1/messages", anthropic);
    post(routing, "/v1/messages/count_tokens", anthropic::count);
    ResponsesHandler responses = new ResponsesHandler(model, dialect, generation);
    post(routing, "/v1/responses", responses);
    routing.get("/v1/responses/{id}", responses::get);
    routing.delete("/v1/responses/{id}", responses::delete);
    refuseOthers(routing, "/v1/responses/{id}", "GET, DELETE");
    post(routing, "/v1/embeddings", new EmbeddingsHandler(model, generation));
    post(routing, "/tokenize", tokenize::tokenize);
    post(routing, "/detokenize", tokenize::detokenize);
    post(routing, "/v1/tokenize", tokenize::tokenize);
    post(routing, "/v1/detokenize", tokenize::detokenize);
    post(routing, "/reset_prefix_cache", status::resetPrefixCache);
    post(routing, "/reset_mm_cache", status::resetNothing);
    post(routing, "/reset_encoder_cache", status::resetNothing);
    routing.get("/flush_cache", status::flushCache);
    routing.post("/flush_cache", status::flushCache);
    refuseOthers(routing, "/flush_cache", "GET, POST");
    page.paths().forEach(path -> get(routing, path, page::file));
    routeCache(routing);
    routing.any((request, response) -> {
      response.header(HeaderNames.CONNECTION, "close");
      throw new ApiException(404, "there is no route " + request.path().path());
    });
    routing.error(ApiException.class, KvasirServer::refuse);
    routing.error(
        Exception.class,
        (request, response, e) -> {
          LOG.log(System.Logger.Level.ERROR, "event=request_failed", Wordless.of(e));
          Wire.send(request, response, new ApiException(500, "the server failed at this request"));
        });
  }

  private void routeCache(HttpRouting.Builder routing) {
    SessionsHandler handler = new SessionsHandler(sessions);
    get(routing, "/kv/state", inspect::state);
    get(routing, "/kv/live", inspect::live);
    post(routing, "/kv/audit", inspect::audit);
    routing.get("/kv/sessions", handler::list);
    routing.post("/kv/sessions", handler::create);
    refuseOthers(routing, "/kv/sessions", "GET, POST");
    routing.get("/kv/sessions/{id}", handler::get);
    routing.delete("/kv/sessions/{id}", handler::delete);
    refuseOthers(routing, "/kv/sessions/{id}", "GET, DELETE");
    post(routing, "/kv/sessions/{id}/fork", handler::fork);
    post(routing, "/kv/sessions/{id}/rewind", handler::rewind);
    post(routing, "/kv/sessions/{id}/save", handler::save);
    post(routing, "/kv/sessions/{id}/resume", handler::resume);
  }

  /// Answers with an error. Where the connection is to end after it, [VisitFilter] ends it: the web
  /// server would first read what is left of the request, however much that is.
  static void refuse(ServerRequest request, ServerResponse response, ApiException e) {
    if (response.headers().contains(HeaderValues.CONNECTION_CLOSE)) {
      Visit.of(request).endConnection();
    }
    Wire.send(request, response, e);
  }

  /// What every request passes before its route.
  ///
  /// @param page where files are that everybody may read
  private void guard(HttpRouting.Builder routing, Set<String> page) {
    Access access = config.access();
    BodyBudget bodies = new BodyBudget(config.limits().bodiesBytes());
    routing.addFilter(new VisitFilter(config.watch(), clients, bodies));
    routing.addFilter(new HostCheck(config));
    if (!access.origins().isEmpty()) {
      routing.addFilter(new Cors(access.origins()));
    }
    if (tenants.areKeysNeeded()) {
      routing.addFilter(new ApiKey(tenants, page));
      if (tenants.areSeveral()) {
        routing.addFilter(new OperatorRoutes());
      }
    }
    if (access.requestsPerMinute() > 0) {
      routing.addFilter(new RateLimit(access.requestsPerMinute()));
    }
  }

  private static void get(HttpRouting.Builder routing, String path, Handler handler) {
    routing.get(path, handler);
    refuseOthers(routing, path, "GET");
  }

  private static void post(HttpRouting.Builder routing, String path, Handler handler) {
    routing.post(path, handler);
    refuseOthers(routing, path, "POST");
  }

  private static void refuseOthers(HttpRouting.Builder routing, String path, String allowed) {
    routing.any(
        path,
        (request, response) -> {
          response.header(HeaderNames.ALLOW, allowed);
          response.header(HeaderNames.CONNECTION, "close");
          throw new ApiException(405, "this route takes " + allowed + " only");
        });
  }

  /// Answers to requests that never reach a route, such as broken ones.
  private static DirectHandlers directHandlers() {
    DirectHandlers.Builder handlers = DirectHandlers.builder();
    for (DirectHandler.EventType type : DirectHandler.EventType.values()) {
      handlers.addHandler(
          type,
          (request, event, status, headers, message) ->
              DirectHandler.TransportResponse.builder()
                  .status(status)
                  .headers(headers)
                  .header(HeaderNames.CONTENT_TYPE, "application/json")
                  .keepAlive(false)
                  .entity(
                      Wire.bytes(
                          Wire.error(
                              new ApiException(
                                  status.code(), said(status.code(), status.reasonPhrase())))))
                  .build());
    }
    return handlers.build();
  }

  private static String said(int status, String reason) {
    return switch (status) {
      case 400 -> "this is no valid HTTP/1.1 request";
      case 408 -> "the request did not come in time";
      case 413 -> "the body is too large";
      case 431 -> "the request's head is too large";
      default -> reason;
    };
  }

  /// Takes no more requests, lets those that run end within the configured time, then stops.
  @Override
  public void close() {
    gate.shut();
    inspect.close();
    if (!gate.awaitEmptyQuietly(config.drain().toMillis(), TimeUnit.MILLISECONDS)) {
      LOG.log(System.Logger.Level.WARNING, "event=drain_timeout");
      generation.stopAll();
      gate.awaitEmptyQuietly(STOP_SECONDS, TimeUnit.SECONDS);
    }
    web.stop();
    sessions.close();
    clients.close();
  }
}
