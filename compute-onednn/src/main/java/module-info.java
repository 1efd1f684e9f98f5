import org.jspecify.annotations.NullMarked;

/// Matrix products through oneDNN.
@NullMarked
module io.kvasir.compute.onednn {
  requires transitive io.kvasir.compute;
  requires static transitive org.jspecify;

  exports io.kvasir.compute.onednn;
}
