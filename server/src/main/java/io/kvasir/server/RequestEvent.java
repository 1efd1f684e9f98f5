package io.kvasir.server;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/// One HTTP request, for Java Flight Recorder.
@Name("io.kvasir.Request")
@Label("HTTP request")
@Category("Kvasir")
@StackTrace(false)
final class RequestEvent extends Event {
  @Label("Id")
  String id = "";

  @Label("Tenant")
  String tenant = "";

  @Label("Method")
  String method = "";

  @Label("Route")
  String route = "";

  @Label("Status")
  int status;

  @Label("Prompt tokens")
  int promptTokens;

  @Label("Cached tokens")
  int cachedTokens;

  @Label("Completion tokens")
  int completionTokens;

  @Label("Time to first token")
  @Timespan
  long firstTokenNanos;

  void fill(ServerWatch.Requested request) {
    id = request.id();
    tenant = request.tenant();
    method = request.method();
    route = request.route();
    status = request.status();
    promptTokens = request.promptTokens();
    cachedTokens = request.cachedTokens();
    completionTokens = request.completionTokens();
    firstTokenNanos = Math.max(0, request.firstTokenNanos());
  }
}
