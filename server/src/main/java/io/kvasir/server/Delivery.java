package io.kvasir.server;

import io.helidon.webserver.http.ServerResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Brings answers to the client, whole or as a stream.
final class Delivery {
  private final Answers answers;
  private final AnswerForm form;
  private final Metrics metrics;

  Delivery(Answers answers, AnswerForm form, Metrics metrics) {
    this.answers = answers;
    this.form = form;
    this.metrics = metrics;
  }

  /// Sends one JSON object when all answers have ended.
  void whole(ServerResponse response) throws InterruptedException {
    ObjectNode body = form.whole();
    List<Answers.Answer> all = answers.all();
    for (int i = 0; i < all.size(); i++) {
      Answers.Answer answer = all.get(i);
      StringBuilder text = new StringBuilder();
      for (String piece = answer.next(); piece != null; piece = answer.next()) {
        text.append(piece);
      }
      metrics.ended(answer);
      form.addChoice(body, i, text.toString(), answer.finishReason());
    }
    body.set("usage", answers.usage());
    Wire.send(response, body);
  }

  /// Sends chunks as tokens come. After the first, an error is an event.
  void stream(ServerResponse response, Parameters parameters) throws InterruptedException {
    EventWriter writer = new EventWriter(response);
    try {
      streamAll(writer, parameters.continuousUsage());
    } catch (ApiException e) {
      if (answers.isCancelled() || !writer.started()) {
        throw e;
      }
      writer.write(Wire.error(new ApiException(e.status(), e.getMessage())));
      writer.done();
      return;
    }
    if (parameters.includeUsage()) {
      writer.write(form.usage(answers.usage()));
    }
    writer.done();
  }

  /// Reads what nobody wants any more to its end, so that everything is freed and counted.
  void abandon() throws InterruptedException {
    answers.cancel();
    for (Answers.Answer answer : answers.all()) {
      if (!answer.hasEnded()) {
        while (answer.next() != null) {
          // Tokens that were on their way.
        }
        metrics.ended(answer);
      }
    }
  }

  private void streamAll(EventWriter writer, boolean usage) throws InterruptedException {
    List<Answers.Answer> all = answers.all();
    AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
    List<Thread> others = new ArrayList<>();
    for (int i = 1; i < all.size(); i++) {
      int index = i;
      others.add(Thread.startVirtualThread(() -> streamAside(writer, index, usage, failure)));
    }
    try {
      streamOne(writer, 0, usage);
    } catch (RuntimeException e) {
      answers.cancel();
      failure.compareAndSet(null, e);
    } finally {
      for (Thread thread : others) {
        thread.join();
      }
    }
    RuntimeException failed = failure.get();
    if (failed != null) {
      throw failed;
    }
  }

  private void streamAside(
      EventWriter writer,
      int index,
      boolean usage,
      AtomicReference<@Nullable RuntimeException> failure) {
    try {
      streamOne(writer, index, usage);
    } catch (RuntimeException e) {
      failure.compareAndSet(null, e);
      answers.cancel();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      answers.cancel();
    }
  }

  private void streamOne(EventWriter writer, int index, boolean usage) throws InterruptedException {
    Answers.Answer answer = answers.all().get(index);
    boolean begun = !form.chat();
    for (String piece = answer.next(); piece != null; piece = answer.next()) {
      ObjectNode chunk = withUsage(form.chunk(index, piece, null), usage);
      if (begun) {
        writer.write(chunk);
      } else {
        writer.write(withUsage(form.role(index), usage), chunk);
        begun = true;
      }
    }
    metrics.ended(answer);
    ObjectNode last = withUsage(form.chunk(index, "", answer.finishReason()), usage);
    if (begun) {
      writer.write(last);
    } else {
      writer.write(withUsage(form.role(index), usage), last);
    }
  }

  private ObjectNode withUsage(ObjectNode chunk, boolean usage) {
    if (usage) {
      chunk.set("usage", answers.usage());
    }
    return chunk;
  }
}
