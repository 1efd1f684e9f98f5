package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// Another way to multiply matrices on the processor than the backend's own: a native library that
/// reaches instructions Java does not.
///
/// The law of a provider: the bits of a row's result do not depend on how many rows are multiplied
/// at once, nor on the other rows. So a matrix is multiplied by one provider at all times, in
/// prompts and in decoding, and never by another one for fewer rows.
///
/// One thread at a time calls a provider.
public interface MatrixProvider extends AutoCloseable {

  /// One line for the start of a program: library, number format, instruction set.
  String description();

  /// A form of the matrix `[out, in]` that this provider multiplies with; null where it leaves the
  /// matrix to the backend, because of its type or size or because the memory for copies is spent.
  /// Copying waits until the matrix is used. The tensor's file stays open as long as it is.
  @Nullable Packed packed(Tensor tensor);

  @Override
  void close();

  /// A matrix in the provider's own form.
  interface Packed {

    /// `out[r, o] = sum over k of W[o, k] x[r, k]` for `rows` rows.
    void multiply(Rows x, Rows out, int rows);
  }

  /// Rows in an array: row `r` starts at `at + r * stride`.
  @SuppressWarnings("ArrayRecordComponent") // A view of an array that its owner fills.
  record Rows(float[] values, int at, int stride) {}
}
