package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.AmxProducts;
import io.kvasir.compute.x86.MachineCode;
import org.jspecify.annotations.Nullable;

/// What the backend's kernels are written in, and what they compute with.
public enum KernelCode {
  /// Machine code ([io.kvasir.compute.x86]) where there is some for a kernel and the processor has
  /// AVX-512, the Vector API elsewhere.
  MACHINE,
  /// The Vector API only, with the bits of [#MACHINE].
  VECTOR,
  /// Machine code that rounds the operands of products to bf16, 8 significant bits, and adds in
  /// f32; what has no such code is computed as by [#MACHINE]. Twice the products in the same time,
  /// and other bits.
  MACHINE_BF16,
  /// As [#MACHINE_BF16], with matrices in the tile registers of AMX: prompts several times as fast,
  /// a sequence alone slower; other bits again.
  MACHINE_AMX;

  /// Whether kernels are machine code where it can be had.
  boolean isMachine() {
    return this != VECTOR;
  }

  /// Whether operands of products are rounded to bf16.
  boolean isBf16() {
    return this == MACHINE_BF16 || this == MACHINE_AMX;
  }

  /// Whether matrices are multiplied in tile registers.
  boolean hasTiles() {
    return this == MACHINE_AMX;
  }

  /// Why this cannot be had on this machine, as the end of a sentence; null where it can.
  public @Nullable String missing() {
    if (!isBf16()) {
      return null;
    }
    if (hasTiles() && !AmxProducts.isSupported()) {
      return "the processor has no tile registers of bf16 (AMX), or the system keeps them back";
    }
    if (!MachineCode.hasBf16()) {
      return "the processor has no products of bf16 (AVX512_BF16)";
    }
    return MachineProducts.SUPPORTED ? null : "machine code cannot run here";
  }
}
