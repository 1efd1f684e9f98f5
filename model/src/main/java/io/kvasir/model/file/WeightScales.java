package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.util.Arrays;

/// The scales of a quantized matrix, or of a stack of matrices: a grid over each matrix, one scale
/// a block of weights. Immutable.
public final class WeightScales {
  /// The block of DeepSeek-V3 and those that follow it; the last ones of a matrix may be smaller.
  private static final long USUAL_BLOCK = 128;

  /// A grid of `rows` x `columns` scales over a matrix, each for `blockRows` x `blockColumns`
  /// weights.
  private record Grid(long rows, long columns, long blockRows, long blockColumns) {}

  private final float[] values;
  private final long matrixRows;
  private final Grid grid;

  private WeightScales(float[] values, long matrixRows, Grid grid) {
    this.values = values;
    this.matrixRows = matrixRows;
    this.grid = grid;
  }

  /// No scaling.
  static WeightScales none() {
    long all = Long.MAX_VALUE;
    return new WeightScales(new float[] {1}, all, new Grid(1, 1, all, all));
  }

  /// The scales `stored` for `codes` `[..., rows, columns]`: a single one, or one a row `[...,
  /// rows]` or `[..., rows, 1]`, or a grid of blocks `[..., rows / 128, columns / 128]` (rounded
  /// up), or of other blocks that divide the matrix evenly.
  ///
  /// @throws ModelFormatException where the shapes do not belong together
  static WeightScales of(Tensor codes, Tensor stored) {
    int dimensions = codes.dimensions();
    long matrixRows = dimensions < 2 ? 1 : codes.dimension(dimensions - 2);
    float[] values = stored.toFloats();
    if (values.length == 1) {
      return new WeightScales(values, matrixRows, new Grid(1, 1, Long.MAX_VALUE, Long.MAX_VALUE));
    }
    long[] shape = Arrays.copyOf(stored.shape(), dimensions);
    if (dimensions < 2 || stored.dimensions() > dimensions) {
      throw mismatch(codes, stored);
    }
    // Missing inner dimensions mean one scale for all that they cover.
    Arrays.fill(shape, stored.dimensions(), dimensions, 1);
    for (int i = 0; i < dimensions - 2; i++) {
      if (shape[i] != codes.dimension(i)) {
        throw mismatch(codes, stored);
      }
    }
    long rows = shape[dimensions - 2];
    long columns = shape[dimensions - 1];
    return new WeightScales(values, matrixRows, grid(codes, stored, rows, columns));
  }

  private static Grid grid(Tensor codes, Tensor stored, long rows, long columns) {
    long matrixRows = codes.dimension(codes.dimensions() - 2);
    long matrixColumns = codes.columns();
    if (rows == Math.ceilDiv(matrixRows, USUAL_BLOCK)
        && columns == Math.ceilDiv(matrixColumns, USUAL_BLOCK)) {
      return new Grid(rows, columns, USUAL_BLOCK, USUAL_BLOCK);
    }
    if (rows <= 0 || columns <= 0 || matrixRows % rows != 0 || matrixColumns % columns != 0) {
      throw mismatch(codes, stored);
    }
    return new Grid(rows, columns, matrixRows / rows, matrixColumns / columns);
  }

  private static ModelFormatException mismatch(Tensor codes, Tensor stored) {
    return new ModelFormatException(stored + " does not fit " + codes + " as its scales");
  }

  int count() {
    return values.length;
  }

  /// Multiplies the first `columns` of `target`, which are row `row` of the stack.
  void multiply(long row, float[] target, int columns) {
    long matrix = row / matrixRows;
    long gridRow = row % matrixRows / grid.blockRows();
    int first = Math.toIntExact((matrix * grid.rows() + gridRow) * grid.columns());
    if (values.length == 1) {
      first = 0;
    }
    int step = (int) Math.min(grid.blockColumns(), columns);
    for (int start = 0; start < columns; start += step) {
      float scale = values[first++];
      int end = Math.min(columns, start + step);
      for (int i = start; i < end; i++) {
        target[i] *= scale;
      }
    }
  }
}
