package io.kvasir.compute.cpu;

import io.kvasir.kvcache.format.KvFormat;
import java.util.HashMap;
import java.util.Map;

/// The ways to read and write formats that a thread has met. One instance per thread.
final class TileFormats {
  private final Map<KvFormat, TileFormat> known = new HashMap<>();
  private KvFormat recent = KvFormat.F16;
  private KvFormat before = KvFormat.F16;
  private TileFormat recentTiles = TileFormat.of(KvFormat.F16);
  private TileFormat tilesBefore = recentTiles;

  /// The way for a format. The two that were asked for last are found without a look-up.
  @SuppressWarnings("ReferenceEquality") // another instance of the format is only looked up
  TileFormat of(KvFormat format) {
    if (format == recent) {
      return recentTiles;
    }
    if (format == before) {
      return tilesBefore;
    }
    before = recent;
    tilesBefore = recentTiles;
    recent = format;
    recentTiles = known.computeIfAbsent(format, TileFormat::of);
    return recentTiles;
  }
}
