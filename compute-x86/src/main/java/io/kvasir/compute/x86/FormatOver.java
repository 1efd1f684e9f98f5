package io.kvasir.compute.x86;

/// A format that makes something else of the weights of another one, whose blocks it reads.
interface FormatOver extends RowFormat {
  /// The other one.
  RowFormat floats();

  @Override
  default int blockWeights() {
    return floats().blockWeights();
  }

  @Override
  default int blockBytes() {
    return floats().blockBytes();
  }

  @Override
  default void prepare(Assembler code, RowCode rows) {
    floats().prepare(code, rows);
  }

  @Override
  default void begin(Assembler code, RowCode rows, int output) {
    floats().begin(code, rows, output);
  }
}
