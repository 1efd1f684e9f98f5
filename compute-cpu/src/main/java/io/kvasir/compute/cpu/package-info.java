/// The CPU backend: Vector API kernels over memory-mapped weights and paged cache blocks, and the
/// thread pool that runs them.
package io.kvasir.compute.cpu;
