import org.jspecify.annotations.NullMarked;

/// Traces of requests and the simulator that replays them through the cache itself. Reads its files
/// with a reader of its own, so that it needs nothing but the cache.
@NullMarked
module io.kvasir.sim {
  requires transitive io.kvasir.kvcache;
  requires static transitive org.jspecify;

  exports io.kvasir.sim;
}
