import org.jspecify.annotations.NullMarked;

/// The OpenAI API over HTTP, on virtual threads.
@NullMarked
module io.kvasir.server {
  requires transitive io.kvasir.engine;
  requires io.helidon.common.buffers;
  requires io.helidon.common.concurrency.limits;
  requires io.helidon.common.context;
  requires io.helidon.common.socket;
  requires io.helidon.common.tls;
  requires io.helidon.http;
  requires io.helidon.webserver;
  requires jdk.jfr;
  requires tools.jackson.core;
  requires tools.jackson.databind;
  requires static transitive org.jspecify;

  exports io.kvasir.server;
}
