package io.kvasir.compute.cpu;

/// Scratch memory of one thread of the pool; arrays grow to the largest need and stay.
final class Workspace {
  /// Elements that elementwise functions work on at a time, small enough to stay in the L1 cache.
  static final int STRIPE = 512;

  final DotTile tile = new DotTile();
  final PanelTile panelTile = new PanelTile();

  /// Decoded weights as [PanelTile] reads them.
  final PackedRows panel = new PackedRows();

  final Panels.Outputs outputs = new Panels.Outputs();

  final float[] lanes = new float[RowKernel.SCRATCH];
  final float[] stripe = new float[STRIPE];
  private float[] weights = {};

  /// At least `size` floats for decoded weights.
  float[] weights(int size) {
    if (weights.length < size) {
      weights = new float[size];
    }
    return weights;
  }
}
