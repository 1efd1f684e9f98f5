package io.kvasir.compute.x86;

/// Writes the code that turns the weights of one number format into vectors of [Operands], in their
/// order: sixteen floats with the bits of the format's `WeightCodec`, or 32 bf16 that are these
/// floats rounded.
interface RowFormat {
  /// Weights in a block, a multiple of 32.
  int blockWeights();

  /// Bytes of a block.
  int blockBytes();

  /// Weight rows in a group where there is one row of `x`: with eight, more is in flight, with four
  /// the processor follows the rows in memory better.
  default int outputsAlone() {
    return 4;
  }

  /// Vector registers that keep something of one output's row from vector to vector.
  default int kept() {
    return 0;
  }

  /// Vector registers that all rows share.
  default int shared() {
    return 0;
  }

  /// What is done once, before the first block.
  default void prepare(Assembler code, RowCode rows) {}

  /// What is done at the start of a block of output `output`.
  default void begin(Assembler code, RowCode rows, int output) {}

  /// Vector `vector` of a block to register `target`. Called for all vectors of a block in their
  /// order; [RowCode#free] is free.
  void weights(Assembler code, RowCode rows, int output, int vector, int target);
}
