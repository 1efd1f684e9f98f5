package io.kvasir.compute.cpu;

import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.MemorySegment;

/// Where a row, or the tiles that start with it, stand in the cache. Mutable, one per thread.
final class TilePlace {
  MemorySegment memory = MemorySegment.NULL;

  /// Where the plane starts in [#memory], in bytes.
  long plane;

  int blockTokens;
  int dim;
  PlaneKind kind = PlaneKind.VALUES;

  /// Row of the plane; a multiple of 16 where tiles are read.
  int slot;

  /// Tiles from there on.
  int tiles = 1;

  /// Where the numbers go: tile after tile from here on.
  float[] numbers = {};

  int at;

  /// Where the scales go: `[tiles][groups][16]` from here on.
  float[] scales = {};

  int scaleAt;

  KvPlane toPlane() {
    return new KvPlane(memory, plane, blockTokens, dim, kind);
  }
}
