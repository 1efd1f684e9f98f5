package io.kvasir.engine;

import org.jspecify.annotations.Nullable;

/// A request in the queue: new, or preempted and about to go on. Owned by the engine's thread.
final class Waiting {
  final Request request;
  final TokenStream stream;
  final long submittedNanos;

  /// Earlier requests have lower numbers; a preempted one keeps its own.
  final long arrival;

  /// Where the request has run before: its sequence, which has no table now.
  final @Nullable Sequence preempted;

  /// When the request has waited long enough, on the clock of `submittedNanos`; `Long.MAX_VALUE`
  /// for never.
  final long expiresNanos;

  /// Whether the prompt's mean hidden row is wanted instead of an answer.
  final boolean embedding;

  /// Whether it has left the queue for good.
  boolean gone;

  Waiting(
      Request request, TokenStream stream, long submittedNanos, long arrival, boolean embedding) {
    this.embedding = embedding;
    long most = request.terms().queueNanos();
    this.expiresNanos = most == 0 ? Long.MAX_VALUE : submittedNanos + most;
    this.request = request;
    this.stream = stream;
    this.submittedNanos = submittedNanos;
    this.arrival = arrival;
    this.preempted = null;
  }

  Waiting(Sequence preempted) {
    this.request = preempted.request();
    this.stream = preempted.stream();
    this.submittedNanos = preempted.submittedNanos();
    this.arrival = preempted.arrival();
    this.preempted = preempted;
    this.expiresNanos = Long.MAX_VALUE;
    this.embedding = preempted.extras().wantsMean();
  }

  static int compare(Waiting a, Waiting b) {
    int byPriority = Integer.compare(a.request.terms().priority(), b.request.terms().priority());
    return byPriority != 0 ? byPriority : Long.compare(a.arrival, b.arrival);
  }
}
