package io.kvasir.compute.x86;

/// Writes the code that turns the weights of one number format into floats, eight at a time, with
/// the bits of the format's `WeightCodec` (but for the sign of a zero, which no sum shows).
interface Avx2RowFormat {
  /// Weights that [#part] is called for: two vectors of sixteen.
  int PART = 32;

  /// Weights in a block, a multiple of [#PART].
  int blockWeights();

  /// Bytes of a block.
  int blockBytes();

  /// What is done once, before the first block: to registers [Avx2RowCode#shared].
  default void prepare(Avx2Assembler code) {}

  /// What is done at the start of a block of output `output`: to its scratch memory; all other
  /// registers but accumulators and shared ones are free.
  default void begin(Avx2Assembler code, Avx2RowCode rows, int output) {}

  /// What is done before 32 weights of one output: to registers [Avx2RowCode#temporary], which then
  /// stay until the next call.
  default void part(Avx2Assembler code, Avx2RowCode rows, int output, int part) {}

  /// Lanes `8 half .. 8 half + 7` of vector `vector` of a block to register `target`. Called for
  /// all of a part in their order, after [#part].
  void weights(Avx2Assembler code, Avx2RowCode rows, int output, int vector, int half, int target);
}
