package io.kvasir.compute;

/// A matrix of f32 activations in the memory of one [Backend], `[rows, columns]`, row-major.
///
/// `rows` is a capacity: operations take the number of rows they work on. A buffer belongs to the
/// backend that made it and is used by one forward pass at a time.
public interface Buffer {

  /// Rows there is room for.
  int rows();

  int columns();
}
