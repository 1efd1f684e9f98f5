import org.jspecify.annotations.NullMarked;

/// Backend contract and the scalar reference backend.
@NullMarked
module io.kvasir.compute {
  requires transitive io.kvasir.kvcache;
  requires static transitive org.jspecify;

  exports io.kvasir.compute;
  exports io.kvasir.compute.quant;
}
