import org.jspecify.annotations.NullMarked;

/// Kernels in machine code that are put together at start.
@NullMarked
module io.kvasir.compute.x86 {
  requires transitive io.kvasir.compute;
  requires static transitive org.jspecify;

  exports io.kvasir.compute.x86;
}
