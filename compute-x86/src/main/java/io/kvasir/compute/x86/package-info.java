/// Kernels in machine code. The Vector API cannot say everything that a processor can do: it has no
/// prefetch, finds no register for a value that lives across a check of bounds, and what its
/// compiler makes of a loop differs from run to run. Here the instructions are chosen by hand and
/// written to executable memory when a kernel is first used, as the JIT of oneDNN (Xbyak) does; no
/// native library and no compiler is needed.
///
/// Every kernel has a twin on the Vector API with the same bits, which is what runs on other
/// processors and what the kernel is tested against.
@NullMarked
package io.kvasir.compute.x86;

import org.jspecify.annotations.NullMarked;
