package io.kvasir.compute.cpu;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;

/// Any format through its scalar codec: correct and slow.
final class CodecTiles implements TileFormat {
  private static final int TILE = KvLayout.TILE_TOKENS;

  private final KvFormat format;
  private float[] row = {};

  CodecTiles(KvFormat format) {
    this.format = format;
  }

  @Override
  public void readKeys(TilePlace place) {
    int dim = place.dim;
    if (row.length < dim) {
      row = new float[dim];
    }
    KvPlane plane = place.toPlane();
    for (int t = 0; t < TILE * place.tiles; t++) {
      format.decode(plane, place.slot + t, row, 0);
      int at = place.at + t / TILE * TILE * dim + t % TILE;
      for (int c = 0; c < dim; c++) {
        place.numbers[at + c * TILE] = row[c];
      }
    }
  }

  @Override
  public void readValues(TilePlace place) {
    readRows(place);
  }

  @Override
  public void readRows(TilePlace place) {
    KvPlane plane = place.toPlane();
    for (int t = 0; t < TILE * place.tiles; t++) {
      format.decode(plane, place.slot + t, place.numbers, place.at + t * place.dim);
    }
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    format.encode(source, from, place.toPlane(), place.slot);
  }
}
