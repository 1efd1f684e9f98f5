package io.kvasir.compute.cpu;

import io.kvasir.kvcache.format.KvFormat;

/// How the kernels read and write one cache format, in tiles of 16 tokens of one (layer, kv head).
///
/// A tile is unpacked into f32 numbers that stay in the L1 cache and serve all queries of a unit:
/// `[dim][16]` of keys, `[16][dim]` of values and latent rows. Scales are not multiplied into them
/// where the format has one per token and group of channels: they come out beside, `[group][16]`,
/// and are folded into the scores and the weights. Instances hold scratch memory: one per thread.
interface TileFormat {

  /// Channels of a key that share a scale; 0 where the numbers are the keys.
  default int keyGroup(int dim) {
    return 0;
  }

  /// Channels of a value that share a scale, a multiple of the vector size; 0 where the numbers are
  /// the values.
  default int valueGroup(int dim) {
    return 0;
  }

  /// Unpacks the tiles of keys at a place.
  void readKeys(TilePlace place);

  /// Unpacks the tiles of values at a place.
  void readValues(TilePlace place);

  /// Unpacks the tiles of latent rows at a place, scales multiplied in.
  void readRows(TilePlace place);

  /// Encodes the row at `source[from]` into a place, with the codes of the format.
  void write(TilePlace place, float[] source, int from);

  /// The fastest way for a format.
  static TileFormat of(KvFormat format) {
    if (format.equals(KvFormat.F32)) {
      return new F32Tiles();
    }
    if (format.equals(KvFormat.F16)) {
      return new F16Tiles();
    }
    if (format.equals(KvFormat.BF16)) {
      return new Bf16Tiles();
    }
    PerformanceCliff.GENERIC_CACHE_FORMAT.report(format.name());
    return new CodecTiles(format);
  }
}
