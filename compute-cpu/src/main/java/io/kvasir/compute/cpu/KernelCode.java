package io.kvasir.compute.cpu;

/// What the backend's kernels are written in. The bits of results are the same.
public enum KernelCode {
  /// Machine code ([io.kvasir.compute.x86]) where there is some for a kernel and the processor has
  /// AVX-512, the Vector API elsewhere.
  MACHINE,
  /// The Vector API only.
  VECTOR
}
