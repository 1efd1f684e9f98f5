package io.kvasir.compute;

import io.kvasir.kvcache.tier.KvStorage;

/// A machine that runs models: its memory, its operations and its attention.
///
/// One thread at a time calls a backend; the backend may use more threads inside a call.
public interface Backend extends Ops, AttentionBackend, AutoCloseable {

  /// The name used on the command line: `cpu`, `reference`.
  String name();

  /// What this backend's rounding depends on. Keys and values that were stored under another one
  /// are not used, so that an answer does not depend on which machine or library filled a shared
  /// cache.
  default String arithmetic() {
    return name();
  }

  /// One line for the start of a program: instruction set, threads, what is missing.
  String description();

  /// Zeroed activations.
  Buffer buffer(int rows, int columns);

  /// Makes a matrix usable; the tensor's file stays open as long as the backend is used.
  Weight weight(Tensor tensor);

  /// Memory for cache blocks.
  KvStorage storage(long blockBytes, int blockCount);

  /// Copies `values` into the first rows of the buffer.
  void write(float[] values, Buffer target);

  /// Copies row `row` into `target` from `offset` on.
  void read(Buffer source, int row, float[] target, int offset);

  /// Computes a pass over a batch of one row for each sequence. A device may replay what it queued
  /// for an earlier batch, with this one's numbers, instead of asking the pass again.
  ///
  /// @param tokens the rows' ids, always in the same array for a pass, of at least
  ///   [DecodePass#mostRows]
  default void decode(DecodePass pass, AttentionMetadata batch, int[] tokens) {
    pass.compute(batch.rows());
  }

  /// Whether rows can leave out pages of what is before them; see [PageSkips].
  default boolean skipsPages() {
    return false;
  }

  /// Finds the column of the largest of the first `columns` elements of each row, the first of
  /// equal ones, where that spares moving all of them: on a device.
  ///
  /// @param into gets one number for each of the first `rows` rows
  /// @return false where the caller looks for itself as fast
  default boolean argmax(Buffer source, int rows, int columns, int[] into) {
    return false;
  }

  /// Draws a column of the first `columns` elements of each row, where that spares moving all of
  /// them: on a device.
  ///
  /// @param draws of at least `rows` rows
  /// @param into gets one number for each of the first `rows` rows
  /// @return false where the caller draws itself
  default boolean draw(Buffer source, int rows, int columns, TokenDraws draws, int[] into) {
    return false;
  }

  /// Bytes of the backend's own memory that nobody uses; -1 where it has none of its own.
  default long freeBytes() {
    return -1;
  }

  @Override
  void close();
}
