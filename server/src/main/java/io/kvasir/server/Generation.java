package io.kvasir.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.kvasir.engine.Session;
import io.kvasir.engine.Terms;
import io.kvasir.server.reply.Speech;
import io.kvasir.server.shape.Shape;
import io.kvasir.server.shape.Shapes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What all generating routes do once they know their prompts: submit, deliver, and stop when the
/// client goes away.
final class Generation {
  private static final HeaderName REQUEST_ID = HeaderNames.create("X-Request-Id");
  private static final HeaderName CACHE_INFO = HeaderNames.create("X-Kvasir-Cache-Info");
  private static final int LONGEST_ID = 128;

  /// Where a request's context has the name of its tenant.
  static final String TENANT = "io.kvasir.server.tenant";

  private final Format format;
  private final AnswerShape shape;
  private final ServedModel model;
  private final ServerConfig config;
  private final Metrics metrics;
  private final Gate gate;
  private final ClientWatch clients;
  private final HttpSessions sessions;
  private final Set<Answers> running = ConcurrentHashMap.newKeySet();

  Generation(Serving serving, HttpSessions sessions) {
    this.model = serving.model();
    this.config = serving.config();
    this.metrics = serving.metrics();
    this.gate = serving.gate();
    this.clients = serving.clients();
    this.sessions = sessions;
    Shapes shapes = new Shapes(model.tokenizer());
    this.format = new Format(shapes);
    this.shape = new AnswerShape(shapes);
  }

  /// Reads what form answers must have.
  Format format() {
    return format;
  }

  /// What answers must look like.
  ///
  /// @param content what content must be; null for any text
  /// @return null where nothing is asked for
  @Nullable Shape shape(@Nullable Shape content, Tools tools, Speech speech) {
    return shape.of(content, tools, speech);
  }

  /// Makes what a request asks for.
  interface Reader {
    /// @param fields of the body; those that nobody asks for are counted
    /// @param tenant on whose behalf the request runs
    /// @param cache whether the client wants to know what the cache did
    Job read(Fields fields, String tenant, boolean cache);
  }

  /// Answers one request.
  void run(ServerRequest request, ServerResponse response, Reader reader)
      throws IOException, InterruptedException {
    boolean cache = request.headers().first(CACHE_INFO).orElse("").equals("1");
    guarded(
        request,
        response,
        () -> {
          Fields fields = fields(request, response);
          String tenant = tenant(request);
          Job job = reader.read(fields, tenant, cache);
          unknown(fields);
          Terms terms = terms(job.parameters(), tenant);
          Answers answers = Answers.submit(model, job, terms, session(job, tenant));
          running.add(answers);
          Delivery delivery = new Delivery(answers, job, metrics);
          try (ClientWatch.Watch _ = clients.watch(request, answers::cancel)) {
            if (job.parameters().stream()) {
              delivery.stream(response);
            } else {
              delivery.whole(response);
            }
          } catch (UncheckedIOException | ApiException e) {
            if (!answers.isCancelled() && e instanceof ApiException) {
              throw e;
            }
            // Nobody reads an answer any more.
            throw new CloseConnectionException("the client has gone", e);
          } finally {
            running.remove(answers);
            delivery.abandon();
            answers.tell(Visit.of(request), terms.salt(), config.watch());
          }
        });
  }

  /// Tenants share no prefixes, whose timing would tell of each other's prompts, unless all of them
  /// agreed to.
  private Terms terms(Parameters parameters, String tenant) {
    Terms terms = terms(parameters.priority(), tenant);
    return terms.withSalt(terms.salt() + parameters.salt());
  }

  /// Those of a request without a salt of its own.
  Terms terms(int wanted, String tenant) {
    String own = config.access().sharePrefixes() ? "" : Tenancy.salt(tenant);
    long queueNanos = config.limits().queue().toNanos();
    // Whoever shares the server may stand back, but not push in front of other tenants.
    int priority = tenant.isEmpty() ? wanted : Math.max(0, wanted);
    return new Terms(tenant, own, priority, queueNanos);
  }

  /// Runs `gone` if the request's client goes away before the result is closed.
  ClientWatch.Watch watch(ServerRequest request, Runnable gone) {
    return clients.watch(request, gone);
  }

  private @Nullable Session session(Job job, String tenant) {
    String id = job.parameters().session();
    return id == null ? null : sessions.lookup(tenant, id).session();
  }

  /// Work that the model does.
  interface Work {
    void run() throws IOException, InterruptedException;
  }

  /// Does work for a request unless the server closes; waits for its end when it does later.
  void guarded(ServerRequest request, ServerResponse response, Work work)
      throws IOException, InterruptedException {
    String id = requestId(request);
    response.header(REQUEST_ID, id);
    Visit.of(request).called(id);
    gate.enter();
    try {
      work.run();
    } finally {
      gate.leave();
    }
  }

  /// The client's own id of the request where it is a short printable one, else a new one.
  private static String requestId(ServerRequest request) {
    String sent = request.headers().first(REQUEST_ID).orElse("");
    boolean usable = !sent.isEmpty() && sent.length() <= LONGEST_ID;
    return usable && sent.chars().allMatch(c -> c > ' ' && c < 127) ? sent : Ids.next("req_");
  }

  /// Counts the fields of a request that nobody asked for.
  void unknown(Fields fields) {
    metrics.unknownFields(fields.unknown());
  }

  /// The fields of a request's body, which is refused where it is longer than allowed.
  Fields fields(ServerRequest request, ServerResponse response) throws IOException {
    return RequestBody.fields(request, response, config.maxBodyBytes());
  }

  /// On whose behalf a request runs: what the check of its key left, empty where there is none.
  static String tenant(ServerRequest request) {
    return request.context().get(TENANT, String.class).orElse("");
  }

  /// Ends what still runs; its clients are told that the server stopped.
  void stopAll() {
    running.forEach(Answers::stop);
  }

  /// Refuses a model that is not served; absent means the one that is.
  static void checkModel(ServedModel model, @Nullable String wanted) {
    if (wanted != null && !wanted.equals(model.name())) {
      throw new ApiException(
          404,
          "the model '%s' does not exist; this server has '%s'".formatted(wanted, model.name()),
          "model",
          "model_not_found");
    }
  }
}
