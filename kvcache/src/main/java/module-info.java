import org.jspecify.annotations.NullMarked;

/// The paged key-value cache as a library of its own: depends on java.base only.
@NullMarked
module io.kvasir.kvcache {
  requires static transitive org.jspecify;

  exports io.kvasir.kvcache;
  exports io.kvasir.kvcache.eviction;
  exports io.kvasir.kvcache.format;
  exports io.kvasir.kvcache.prune;
  exports io.kvasir.kvcache.tier;
}
