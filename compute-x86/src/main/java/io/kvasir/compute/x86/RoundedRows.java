package io.kvasir.compute.x86;

/// Any format whose floats are rounded to bf16, two vectors to one.
///
/// @param floats the format
record RoundedRows(RowFormat floats) implements FormatOver {
  @Override
  public int outputsAlone() {
    return floats.outputsAlone();
  }

  @Override
  public int kept() {
    return floats.kept();
  }

  @Override
  public int shared() {
    return floats.shared();
  }

  @Override
  public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
    floats.weights(code, rows, output, 2 * vector, rows.free());
    floats.weights(code, rows, output, 2 * vector + 1, target);
    code.floatsToBf16(target, target, rows.free());
  }
}
