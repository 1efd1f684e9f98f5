package io.kvasir.kvcache.format;

/// What a format wants done to rows before it encodes them; see [KvBasis].
public enum RowBasis {
  /// Rows as they are.
  PLAIN(false, false),
  /// Rotated by [Hadamard].
  ROTATED(true, false),
  /// Keys without their mean of the [KvProfile].
  CENTRED(false, true),
  /// Both.
  CENTRED_ROTATED(true, true);

  private final boolean rotated;
  private final boolean centred;

  RowBasis(boolean rotated, boolean centred) {
    this.rotated = rotated;
    this.centred = centred;
  }

  public boolean isRotated() {
    return rotated;
  }

  public boolean isCentred() {
    return centred;
  }
}
