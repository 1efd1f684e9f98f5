package io.kvasir.compute.cpu;

import io.kvasir.kvcache.KvLayout;

/// Formats whose tiles are the numbers one after the other, in the order in which they are used: 16
/// rows start at the same element whether rows or channels are consecutive.
interface PlainTiles extends TileFormat {

  /// Reads `count` numbers from byte `from` of the place's memory on.
  void read(TilePlace place, long from, int count);

  /// Bytes of a number.
  int size();

  @Override
  default void readKeys(TilePlace place) {
    readRows(place);
  }

  @Override
  default void readValues(TilePlace place) {
    readRows(place);
  }

  @Override
  default void readRows(TilePlace place) {
    long from = place.plane + (long) size() * place.slot * place.dim;
    read(place, from, KvLayout.TILE_TOKENS * place.tiles * place.dim);
  }
}
