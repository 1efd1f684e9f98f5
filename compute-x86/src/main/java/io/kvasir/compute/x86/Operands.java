package io.kvasir.compute.x86;

/// What products are computed of. Sums are floats in any case.
///
/// Sixteen lanes add in the order of the elements. With [#F32] lane `i` adds the products of
/// elements `i, i + 16, ...`, each rounded once; with [#BF16] it adds those of elements `2 i + 1, 2
/// i`, `2 i + 33, 2 i + 32`, ... in that order, each rounded once, and subnormals are zero.
public enum Operands {
  /// Floats as they are.
  F32(16),
  /// Floats rounded to 8 significant bits, to the nearest even.
  BF16(32);

  /// Bytes of a vector.
  static final int VECTOR = 64;

  private final int lanes;

  Operands(int lanes) {
    this.lanes = lanes;
  }

  /// Operands in a vector.
  public int lanes() {
    return lanes;
  }

  /// Whether this machine can compute with them in AVX-512.
  public boolean isSupported() {
    return isSupported(Instructions.AVX512);
  }

  /// Whether this machine can compute with them in some instructions.
  public boolean isSupported(Instructions instructions) {
    boolean isThere = this == F32 || instructions == Instructions.AVX512 && MachineCode.hasBf16();
    return isThere && instructions.isSupported();
  }

  /// Bytes of rows of operands, of which each is a multiple of [#lanes] long.
  public long bytes(int rows, int columns) {
    return (long) rows * (columns / lanes) * VECTOR;
  }

  /// `sum += a * b`.
  void multiplyAdd(Assembler code, int sum, int a, int b) {
    switch (this) {
      case F32 -> code.multiplyAdd(sum, a, b);
      case BF16 -> code.multiplyAddPairs(sum, a, b);
    }
  }
}
