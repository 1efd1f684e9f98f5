package io.kvasir.compute.x86;

/// The sets of instructions that there are kernels for. Kernels of both have the same bits.
public enum Instructions {
  /// 32 registers of 512 bits ([Assembler]).
  AVX512,
  /// 16 registers of 256 bits, with FMA and F16C ([Avx2Assembler]).
  AVX2;

  /// Whether this processor has them and this program may run code of its own.
  public boolean isSupported() {
    Processor here = Processor.here();
    return (this == AVX512 ? here.hasAvx512() : here.hasAvx2()) && MachineCode.canCall();
  }
}
