package io.kvasir.server;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.Method;
import io.helidon.webserver.http.Filter;
import io.helidon.webserver.http.FilterChain;
import io.helidon.webserver.http.RoutingRequest;
import io.helidon.webserver.http.RoutingResponse;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Bounds how many requests each tenant sends in a minute. Only those that may compute count: POST.
/// Without keys all are one tenant.
final class RateLimit implements Filter {
  private static final HeaderName LIMIT = HeaderNames.create("x-ratelimit-limit-requests");
  private static final HeaderName LEFT = HeaderNames.create("x-ratelimit-remaining-requests");
  private static final HeaderName RESET = HeaderNames.create("x-ratelimit-reset-requests");

  private final int perMinute;
  private final Map<String, TokenBucket> buckets = new ConcurrentHashMap<>();

  RateLimit(int perMinute) {
    this.perMinute = perMinute;
  }

  @Override
  public void filter(FilterChain chain, RoutingRequest request, RoutingResponse response) {
    if (request.prologue().method().equals(Method.POST)) {
      long now = System.nanoTime();
      String tenant = Visit.of(request).tenant();
      TokenBucket.Taken taken =
          buckets.computeIfAbsent(tenant, name -> new TokenBucket(perMinute, now)).take(now);
      response.header(LIMIT, Integer.toString(perMinute));
      response.header(LEFT, Integer.toString(taken.left()));
      response.header(RESET, seconds(taken.fullNanos()) + "s");
      if (!taken.allowed()) {
        throw ApiException.busy(
            429,
            "more than %d requests in a minute; wait %d s"
                .formatted(perMinute, seconds(taken.waitNanos())),
            seconds(taken.waitNanos()));
      }
    }
    chain.proceed();
  }

  private static int seconds(long nanos) {
    return (int) Math.ceilDiv(nanos, 1_000_000_000L);
  }
}
