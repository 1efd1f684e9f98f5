package io.kvasir.compute.x86;

/// Formats of plain numbers, two vectors at a time.
final class PlainRows {
  private PlainRows() {}

  /// Plain floats, two vectors at a time.
  record F32() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 128;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.loadFloats(target, rows.weight(output, 64 * vector));
    }
  }

  /// Halves.
  record F16() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.halvesToFloats(target, rows.weight(output, 32 * vector));
    }
  }

  /// Upper halves of floats.
  record Bf16() implements RowFormat {
    @Override
    public int blockWeights() {
      return 32;
    }

    @Override
    public int blockBytes() {
      return 64;
    }

    @Override
    public void weights(Assembler code, RowCode rows, int output, int vector, int target) {
      code.unsignedShortsToInts(target, rows.weight(output, 32 * vector));
      code.shiftLeftInts(target, target, 16);
    }
  }
}
