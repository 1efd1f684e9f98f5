import org.jspecify.annotations.NullMarked;

/// The CPU backend on the Vector API.
@NullMarked
module io.kvasir.compute.cpu {
  requires transitive io.kvasir.compute;
  requires io.kvasir.compute.x86;
  requires java.management;
  requires jdk.incubator.vector;
  requires jdk.management;
  requires static transitive org.jspecify;

  exports io.kvasir.compute.cpu;
}
