import org.jspecify.annotations.NullMarked;

/// The NVIDIA GPU backend, on the CUDA driver.
@NullMarked
module io.kvasir.compute.cuda {
  requires transitive io.kvasir.compute;
  requires static transitive org.jspecify;

  exports io.kvasir.compute.cuda;
}
