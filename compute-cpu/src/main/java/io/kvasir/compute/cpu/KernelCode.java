package io.kvasir.compute.cpu;

import io.kvasir.compute.x86.AmxProducts;
import io.kvasir.compute.x86.Instructions;
import io.kvasir.compute.x86.MachineCode;
import org.jspecify.annotations.Nullable;

/// What the backend's kernels are written in, and what they compute with.
public enum KernelCode {
  /// Machine code ([io.kvasir.compute.x86]) where there is some for a kernel and the processor has
  /// AVX-512 or else AVX2, the Vector API elsewhere.
  MACHINE,
  /// As [#MACHINE] on a processor that has AVX2 only, with the same bits.
  MACHINE_AVX2,
  /// The Vector API only, with the bits of [#MACHINE] where its vectors have sixteen lanes.
  VECTOR,
  /// Machine code that rounds the operands of products to bf16, 8 significant bits, and adds in
  /// f32; what has no such code is computed as by [#MACHINE]. Twice the products in the same time,
  /// and other bits.
  MACHINE_BF16,
  /// As [#MACHINE_BF16], with matrices in the tile registers of AMX: prompts several times as fast,
  /// a sequence alone slower; other bits again.
  MACHINE_AMX;

  /// What machine code is of, or null where kernels are those of the Vector API.
  ///
  /// That of AVX-512 stands beside kernels of the Vector API with its bits, so vectors of that API
  /// must be as long; that of AVX2 computes all products of a matrix or none.
  @Nullable Instructions instructions() {
    if (this == VECTOR) {
      return null;
    }
    if (this != MACHINE_AVX2 && MachineProducts.SUPPORTED) {
      return Instructions.AVX512;
    }
    return !isBf16() && Instructions.AVX2.isSupported() ? Instructions.AVX2 : null;
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
    if (this == MACHINE_AVX2 && instructions() == null) {
      return "the processor has not AVX2 with FMA and F16C, or the system lets no program make "
          + "memory executable";
    }
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
