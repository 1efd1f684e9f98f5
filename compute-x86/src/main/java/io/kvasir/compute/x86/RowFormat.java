package io.kvasir.compute.x86;

/// Writes the code that turns the weights of one number format into floats in registers: sixteen at
/// a time, in their order, with the bits of the format's `WeightCodec`.
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

  /// Weights `16 vector .. 16 vector + 15` of a block to register `target`. Called for all vectors
  /// of a block in their order.
  void weights(Assembler code, RowCode rows, int output, int vector, int target);

  /// Weights `32 pair .. 32 pair + 31` of a block, rounded to bf16 as they come out of [#weights],
  /// to register `target`. Called for all of a block in their order; [RowCode#free] is free.
  default void pairs(Assembler code, RowCode rows, int output, int pair, int target) {
    weights(code, rows, output, 2 * pair, rows.free());
    weights(code, rows, output, 2 * pair + 1, target);
    code.floatsToBf16(target, target, rows.free());
  }
}
