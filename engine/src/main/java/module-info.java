import org.jspecify.annotations.NullMarked;

/// The embedding API: requests in, token streams out.
@NullMarked
module io.kvasir.engine {
  requires transitive io.kvasir.model;
  requires jdk.jfr;
  requires static transitive org.jspecify;

  exports io.kvasir.engine;
  exports io.kvasir.engine.grammar;
}
