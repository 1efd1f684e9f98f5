package io.kvasir.compute.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A list of tiles that stand one after the other in memory, a run each, as [TileProducts] go
/// through them. Mutable, one per thread.
public final class TileRuns {
  static final int CODES = 0;
  static final int SCALES = 8;
  static final int SCORES = 16;
  static final int STEPS = 24;
  static final int NEXT = 32;
  static final int FIRST_ROW = 40;
  static final int FIRST_BYTE = 48;
  static final int ROWS = 56;
  static final int SIZE = 64;

  private final MemorySegment memory;
  private final int most;
  private int count;

  /// @param most runs
  public TileRuns(int most) {
    this.most = most;
    memory = Arena.ofAuto().allocate((long) most * SIZE, SIZE);
  }

  public int count() {
    return count;
  }

  public void clear() {
    count = 0;
  }

  /// Adds a run.
  ///
  /// @param codes address of the first tile's codes
  /// @param scales address of its scales
  /// @param scores address of the first query's scores of its first token
  /// @param steps tiles, or for keys how many times so many tiles as are computed at once
  public void add(long codes, long scales, long scores, int steps) {
    if (count == most || steps <= 0) {
      throw new IllegalArgumentException("run %d of %d steps".formatted(count, steps));
    }
    long at = (long) count++ * SIZE;
    memory.set(ValueLayout.JAVA_LONG, at + CODES, codes);
    memory.set(ValueLayout.JAVA_LONG, at + SCALES, scales);
    memory.set(ValueLayout.JAVA_LONG, at + SCORES, scores);
    memory.set(ValueLayout.JAVA_LONG, at + STEPS, steps);
    memory.set(ValueLayout.JAVA_LONG, at + NEXT, 0);
    rows(0, 0, TileCodes.TILE);
  }

  /// Says which rows count of the tiles of the last run, for values.
  ///
  /// @param first row of a tile
  /// @param firstByte where its codes start in the tile
  /// @param rows how many, or how many pairs of them
  public void rows(int first, int firstByte, int rows) {
    long at = (count - 1L) * SIZE;
    memory.set(ValueLayout.JAVA_LONG, at + FIRST_ROW, first);
    memory.set(ValueLayout.JAVA_LONG, at + FIRST_BYTE, firstByte);
    memory.set(ValueLayout.JAVA_LONG, at + ROWS, rows);
  }

  /// Sets how many bytes further the codes and scales stand that are read after those of a run.
  public void next(int run, long bytes) {
    memory.set(ValueLayout.JAVA_LONG, (long) run * SIZE + NEXT, bytes);
  }

  /// Address of a run's codes.
  public long codes(int run) {
    return memory.get(ValueLayout.JAVA_LONG, (long) run * SIZE + CODES);
  }

  /// Moves a run on.
  public void move(int run, long bytes) {
    long at = (long) run * SIZE;
    memory.set(
        ValueLayout.JAVA_LONG, at + CODES, memory.get(ValueLayout.JAVA_LONG, at + CODES) + bytes);
    memory.set(
        ValueLayout.JAVA_LONG, at + SCALES, memory.get(ValueLayout.JAVA_LONG, at + SCALES) + bytes);
  }

  /// Address of a run.
  long at(int run) {
    return memory.address() + (long) run * SIZE;
  }
}
