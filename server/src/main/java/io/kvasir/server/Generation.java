package io.kvasir.server;

import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What both generating routes do once they know their prompts: submit, deliver, and stop when the
/// client goes away.
final class Generation {
  private final ServedModel model;
  private final Metrics metrics;
  private final Gate gate;
  private final ClientWatch clients;
  private final SecureRandom random = new SecureRandom();
  private final Set<Answers> running = ConcurrentHashMap.newKeySet();

  Generation(ServedModel model, Metrics metrics, Gate gate, ClientWatch clients) {
    this.model = model;
    this.metrics = metrics;
    this.gate = gate;
    this.clients = clients;
  }

  /// Makes the request's prompts and parameters.
  interface Reader {
    Job read() throws IOException;
  }

  /// What is to be generated.
  record Job(List<int[]> prompts, Parameters parameters) {}

  /// Answers one request.
  ///
  /// @param chat whether answers are chat messages
  void run(ServerRequest request, ServerResponse response, boolean chat, Reader reader)
      throws IOException, InterruptedException {
    gate.enter();
    try {
      Job job = reader.read();
      Answers answers = Answers.submit(model, job.prompts(), job.parameters());
      running.add(answers);
      Delivery delivery = new Delivery(answers, form(chat), metrics);
      try (ClientWatch.Watch _ = clients.watch(request, answers::cancel)) {
        deliver(delivery, response, job.parameters());
      } catch (UncheckedIOException | ApiException e) {
        if (!answers.isCancelled() && e instanceof ApiException) {
          throw e;
        }
        // Nobody reads an answer any more.
        throw new CloseConnectionException("the client has gone", e);
      } finally {
        running.remove(answers);
        delivery.abandon();
      }
    } finally {
      gate.leave();
    }
  }

  /// Ends what still runs; its clients are told that the server stopped.
  void stopAll() {
    running.forEach(Answers::stop);
  }

  private static void deliver(Delivery delivery, ServerResponse response, Parameters parameters)
      throws InterruptedException {
    if (parameters.stream()) {
      delivery.stream(response, parameters);
    } else {
      delivery.whole(response);
    }
  }

  private AnswerForm form(boolean chat) {
    byte[] id = new byte[12];
    random.nextBytes(id);
    String prefix = chat ? "chatcmpl-" : "cmpl-";
    return new AnswerForm(
        chat,
        prefix + HexFormat.of().formatHex(id),
        System.currentTimeMillis() / 1000,
        model.name());
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
