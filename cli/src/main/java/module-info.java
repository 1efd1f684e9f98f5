import org.jspecify.annotations.NullMarked;

/// The command line, the only assembly point.
@NullMarked
module io.kvasir.cli {
  requires io.kvasir.engine;
  requires io.kvasir.compute.cpu;
  requires io.kvasir.compute.cuda;
  requires io.kvasir.compute.onednn;
  requires io.kvasir.kvcache.resp;
  requires io.kvasir.model;
  requires io.kvasir.server;
  requires io.kvasir.sim;
  requires java.logging;
  requires jdk.management;
  requires info.picocli;
  requires org.jline;
  requires static transitive org.jspecify;

  opens io.kvasir.cli to
      info.picocli;
}
