package io.kvasir.server;

import io.helidon.webserver.http.ServerResponse;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// Brings answers to the client, whole or as a stream.
final class Delivery {
  private final Answers answers;
  private final AnswerForm form;
  private final Parameters parameters;
  private final Metrics metrics;
  private final long startNanos = System.nanoTime();

  Delivery(Answers answers, Job job, Metrics metrics) {
    this.answers = answers;
    this.form = job.form();
    this.parameters = job.parameters();
    this.metrics = metrics;
  }

  /// Sends one JSON object when all answers have ended.
  void whole(ServerResponse response) throws InterruptedException {
    List<AnswerForm.Whole> ended = new ArrayList<>();
    for (Answer answer : answers.all()) {
      Reply reply = new Reply();
      for (Step step = answer.next(); step != null; step = answer.next()) {
        reply.add(step);
      }
      metrics.ended(answer);
      metrics.pace().answered(answer.outcome());
      ended.add(new AnswerForm.Whole(reply, answer.ending()));
    }
    Wire.send(response, form.whole(best(ended), answers.usage()));
  }

  /// Of each prompt's answers the `n` with the highest mean log-probability, best first.
  private List<AnswerForm.Whole> best(List<AnswerForm.Whole> all) {
    int of = parameters.bestOf();
    if (of == parameters.n()) {
      return all;
    }
    List<AnswerForm.Whole> result = new ArrayList<>();
    for (int from = 0; from < all.size(); from += of) {
      all.subList(from, from + of).stream()
          .sorted(Comparator.comparingDouble(answer -> -answer.reply().meanLogProbability()))
          .limit(parameters.n())
          .forEach(result::add);
    }
    return result;
  }

  /// Sends chunks as tokens come. After the first, an error is an event.
  void stream(ServerResponse response) throws InterruptedException {
    EventWriter writer = new EventWriter(response);
    AnswerForm.Events events = form.events(answers.all().size(), answers::usage);
    try {
      streamAll(writer, events);
      writer.write(events.close());
    } catch (ApiException e) {
      if (answers.isCancelled() || !writer.started()) {
        throw e;
      }
      writer.write(events.error(e));
    }
    writer.end(events.isMarked());
  }

  /// Reads what nobody wants any more to its end, so that everything is freed and counted.
  void abandon() throws InterruptedException {
    answers.cancel();
    for (Answer answer : answers.all()) {
      if (!answer.hasEnded()) {
        while (answer.next() != null) {
          // Tokens that were on their way.
        }
        metrics.ended(answer);
      }
    }
  }

  private void streamAll(EventWriter writer, AnswerForm.Events events) throws InterruptedException {
    List<Answer> all = answers.all();
    AtomicReference<@Nullable RuntimeException> failure = new AtomicReference<>();
    List<Thread> others = new ArrayList<>();
    for (int i = 1; i < all.size(); i++) {
      int index = i;
      others.add(Thread.startVirtualThread(() -> streamAside(writer, index, events, failure)));
    }
    try {
      streamOne(writer, 0, events);
    } catch (RuntimeException e) {
      failure.compareAndSet(null, e);
      end(e);
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

  /// Stops all answers after one has failed. Where it failed and not the client, the client is
  /// told.
  private void end(RuntimeException failure) {
    if (failure instanceof ApiException) {
      answers.stop();
    } else {
      answers.cancel();
    }
  }

  private void streamAside(
      EventWriter writer,
      int index,
      AnswerForm.Events events,
      AtomicReference<@Nullable RuntimeException> failure) {
    try {
      streamOne(writer, index, events);
    } catch (RuntimeException e) {
      failure.compareAndSet(null, e);
      end(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      answers.cancel();
    }
  }

  private void streamOne(EventWriter writer, int index, AnswerForm.Events events)
      throws InterruptedException {
    Answer answer = answers.all().get(index);
    Pace.Beat beat = metrics.pace().beat(startNanos);
    for (Step step = answer.next(); step != null; step = answer.next()) {
      if (step.token() != Step.NO_TOKEN) {
        beat.token(System.nanoTime());
      }
      writer.write(events.step(index, step));
    }
    metrics.ended(answer);
    writer.write(events.end(index, answer.ending()));
  }
}
